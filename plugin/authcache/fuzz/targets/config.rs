//! Any text is a configuration or an error that fits a log line.

#![no_main]

use authcache::config::{ConfigError, Settings};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| {
    match Settings::parse(text) {
        Ok(settings) => {
            assert!(!settings.services.is_empty());
            let _ = settings.service_index(text);
        }
        Err(ConfigError::Setting { path, problem }) => {
            assert!(!path.is_empty() && !problem.is_empty());
            assert!(!path.contains('\n') && !problem.contains('\n'));
            assert!(path.len() + problem.len() < 8_192);
        }
        Err(_) => {}
    }
});
