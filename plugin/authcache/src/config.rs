//! Plugin configuration: text in, validated settings out.
//!
//! Owns [`Settings`]. Must not know how a setting is carried out. The text is JSON, a superset of
//! what the 3scale Wasm auth filter reads. Nothing in it is guessed: an unknown field, a wrong type or
//! an impossible value is an error that names its path. `null` means the same as leaving a setting
//! out.

mod backend;
mod cache;
mod error;
mod service;
mod value;

pub use backend::{Backend, Extension};
pub use cache::{
    CacheSettings, Epoch, Flush, FlushMode, Gateways, Headers, LogLevel, Memory, Mode, OnOutage,
    OnOutageUnknown, Outage, RateLimitHeaders, ReportRetry, SyncBy, Ttl,
};
pub use error::ConfigError;
pub use service::{Environment, Service};

use serde::Deserialize;

use self::backend::RawBackend;
use self::cache::RawCache;
use self::value::{AtLeastOne, Checked, Fields, Object, OnlyFalse, Text, Unsupported, word};

/// A configuration that was checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The 3scale backend.
    pub backend: Backend,
    /// The services, at least one. The first that serves an authority is used.
    pub services: Vec<Service>,
    /// The cache.
    pub cache: CacheSettings,
}

impl Settings {
    /// Longest configuration.
    pub const MAX_BYTES: usize = 4 << 20;

    /// Reads and checks a configuration.
    pub fn parse(text: &[u8]) -> Result<Self, ConfigError> {
        if text.len() > Self::MAX_BYTES {
            return Err(ConfigError::TooLarge {
                bytes: text.len(),
                max: Self::MAX_BYTES,
            });
        }
        let mut json = serde_json::Deserializer::from_slice(text);
        let Object(raw): Object<RawSettings> =
            serde_path_to_error::deserialize(&mut json).map_err(ConfigError::of_json)?;
        json.end().map_err(|error| ConfigError::Syntax {
            problem: error.to_string(),
        })?;
        let settings = Self::from(raw);
        settings.check()?;
        Ok(settings)
    }

    /// What no single setting shows.
    fn check(&self) -> Result<(), ConfigError> {
        let Gateways { count, index } = self.cache.gateways;
        if index >= count {
            return Err(ConfigError::setting(
                "cache.gateway_index",
                format!(
                    "invalid value: `{index}`, expected less than `gateways`, which is {count}"
                ),
            ));
        }
        Ok(())
    }

    /// The place of the first service that serves `authority`.
    pub fn service_index(&self, authority: &[u8]) -> Option<usize> {
        self.services
            .iter()
            .position(|service| service.serves(authority))
    }

    /// Whether the authority of a request has to be known: not when the first service serves all.
    pub fn needs_authority(&self) -> bool {
        !self.services.first().is_some_and(Service::serves_all)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSettings {
    #[serde(rename = "api")]
    _api: Checked<ApiVersion>,
    backend: Object<RawBackend>,
    services: AtLeastOne<Service>,
    cache: Option<Object<RawCache>>,
    #[serde(rename = "system")]
    _system: Option<Unsupported>,
    #[serde(rename = "passthrough_metadata")]
    _passthrough_metadata: Option<OnlyFalse>,
}

impl Fields for RawSettings {
    const EXPECTED: &'static str = "an object with `api`, `backend` and `services`";
}

/// The version of the document.
struct ApiVersion;

impl Text for ApiVersion {
    const EXPECTED: &'static str = "`v1`";

    fn read(raw: &str) -> Result<Self, String> {
        word(raw, &[("v1", ())]).map(|()| Self)
    }
}

impl From<RawSettings> for Settings {
    fn from(raw: RawSettings) -> Self {
        Self {
            backend: raw.backend.0.into(),
            services: raw.services.0,
            cache: raw.cache.map(|cache| cache.0.into()).unwrap_or_default(),
        }
    }
}
