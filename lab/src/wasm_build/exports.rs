//! The pass over a finished module that removes exported callbacks the plugin does not need.
//!
//! The SDK exports every callback of the ABI. Envoy calls each one that is exported, for every
//! stream, whether the plugin implements it or not; that costs more than the plugin's own work on
//! a cache hit.

use std::ops::Range;

use thiserror::Error;
use wasm_encoder::{ExportKind, ExportSection, Module, RawSection};
use wasmparser::{ExportSectionReader, ExternalKind, Parser, Payload};

/// Callbacks that stay. A test holds this list against what the plugin's sources implement.
pub const KEPT_CALLBACKS: [&str; 8] = [
    "proxy_on_memory_allocate",
    "proxy_on_context_create",
    "proxy_on_delete",
    "proxy_on_configure",
    "proxy_on_tick",
    "proxy_on_queue_ready",
    "proxy_on_request_headers",
    "proxy_on_http_call_response",
];

/// Why a module could not be read or written.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PruneError {
    /// The bytes are something else.
    #[error("it does not begin like a module")]
    Magic,
    /// The bytes begin like a module and go on otherwise.
    #[error("not a well-formed module")]
    Parse(#[from] wasmparser::BinaryReaderError),
    /// An export has a kind this version cannot write again.
    #[error("export `{name}` has a kind this version does not know")]
    Kind {
        /// The export.
        name: String,
    },
    /// There is no function to put something before.
    #[error("it does not export the function `{name}`, so no request reaches it")]
    Callback {
        /// What was looked for.
        name: &'static str,
    },
    /// A section lies outside the file.
    #[error("a section ends behind the end of the file")]
    Truncated,
}

/// Names of everything the module exports, in order.
pub fn names(module: &[u8]) -> Result<Vec<String>, PruneError> {
    check_magic(module)?;
    let mut names = Vec::new();
    for payload in Parser::new(0).parse_all(module) {
        if let Payload::ExportSection(reader) = payload? {
            for export in reader {
                names.push(export?.name.to_owned());
            }
        }
    }
    Ok(names)
}

/// The module without the exports of callbacks that are not in [`KEPT_CALLBACKS`]. Every other
/// section is copied byte by byte.
pub fn prune(module: &[u8]) -> Result<Vec<u8>, PruneError> {
    check_magic(module)?;
    let mut pruned = Module::new();
    for payload in Parser::new(0).parse_all(module) {
        let payload = payload?;
        if let Payload::ExportSection(reader) = payload {
            pruned.section(&kept(reader)?);
        } else if let Some((id, range)) = payload.as_section() {
            let data = bytes(module, range).ok_or(PruneError::Truncated)?;
            pruned.section(&RawSection { id, data });
        }
    }
    Ok(pruned.finish())
}

/// The parser's own message for this shows both as lists of bytes.
pub(super) fn check_magic(module: &[u8]) -> Result<(), PruneError> {
    match module.starts_with(b"\0asm") {
        true => Ok(()),
        false => Err(PruneError::Magic),
    }
}

fn kept(reader: ExportSectionReader<'_>) -> Result<ExportSection, PruneError> {
    let mut section = ExportSection::new();
    for export in reader {
        let export = export?;
        if is_needed(export.name) {
            let kind = written(export.kind).ok_or_else(|| PruneError::Kind {
                name: export.name.to_owned(),
            })?;
            section.export(export.name, kind, export.index);
        }
    }
    Ok(section)
}

pub(super) fn bytes(module: &[u8], range: Range<u64>) -> Option<&[u8]> {
    let start = usize::try_from(range.start).ok()?;
    let end = usize::try_from(range.end).ok()?;
    module.get(start..end)
}

pub(super) fn written(kind: ExternalKind) -> Option<ExportKind> {
    match kind {
        ExternalKind::Func => Some(ExportKind::Func),
        ExternalKind::Table => Some(ExportKind::Table),
        ExternalKind::Memory => Some(ExportKind::Memory),
        ExternalKind::Global => Some(ExportKind::Global),
        ExternalKind::Tag => Some(ExportKind::Tag),
        _ => None,
    }
}

/// Whether an export stays: all that is not a callback (memory, ABI version, initialisers), and the
/// callbacks of the list.
fn is_needed(name: &str) -> bool {
    !name.starts_with("proxy_on_") || KEPT_CALLBACKS.contains(&name)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    use wasm_encoder::{CodeSection, CustomSection, Function, FunctionSection, TypeSection};

    use super::*;

    fn module_exporting(names: &[&str]) -> Vec<u8> {
        let mut types = TypeSection::new();
        types.ty().function([], []);
        let mut functions = FunctionSection::new();
        functions.function(0);
        let mut exports = ExportSection::new();
        for name in names {
            exports.export(name, ExportKind::Func, 0);
        }
        let mut body = Function::new([]);
        body.instructions().end();
        let mut code = CodeSection::new();
        code.function(&body);
        let mut module = Module::new();
        module.section(&types);
        module.section(&functions);
        module.section(&exports);
        module.section(&code);
        module.section(&CustomSection {
            name: "note".into(),
            data: b"kept"[..].into(),
        });
        module.finish()
    }

    #[test]
    fn unused_callbacks_go_and_everything_else_stays() {
        let module = module_exporting(&[
            "_initialize",
            "proxy_abi_version_0_2_1",
            "proxy_on_request_headers",
            "proxy_on_response_headers",
            "proxy_on_grpc_close",
        ]);
        let pruned = prune(&module).expect("the module is well-formed");
        let kept = names(&pruned).expect("the pruned module is well-formed");
        let expected = [
            "_initialize",
            "proxy_abi_version_0_2_1",
            "proxy_on_request_headers",
        ];
        assert_eq!(kept, expected);
        wasmparser::validate(&pruned).expect("the pruned module is valid");
        assert!(pruned.ends_with(b"kept"));
    }

    /// Callbacks that the SDK's own bookkeeping needs, whatever the plugin implements.
    const OF_THE_SDK: [&str; 3] = [
        "proxy_on_memory_allocate",
        "proxy_on_context_create",
        "proxy_on_delete",
    ];

    /// Methods of the SDK's traits, each with the callback that leads to it.
    const METHODS: [(&str, &str); 20] = [
        ("on_vm_start", "proxy_on_vm_start"),
        ("on_configure", "proxy_on_configure"),
        ("on_tick", "proxy_on_tick"),
        ("on_queue_ready", "proxy_on_queue_ready"),
        ("on_log", "proxy_on_log"),
        ("on_done", "proxy_on_done"),
        ("on_http_request_headers", "proxy_on_request_headers"),
        ("on_http_request_body", "proxy_on_request_body"),
        ("on_http_request_trailers", "proxy_on_request_trailers"),
        ("on_http_response_headers", "proxy_on_response_headers"),
        ("on_http_response_body", "proxy_on_response_body"),
        ("on_http_response_trailers", "proxy_on_response_trailers"),
        ("on_http_call_response", "proxy_on_http_call_response"),
        ("on_grpc_call_response", "proxy_on_grpc_receive"),
        ("on_grpc_stream_message", "proxy_on_grpc_receive"),
        ("on_grpc_stream_close", "proxy_on_grpc_close"),
        ("on_new_connection", "proxy_on_new_connection"),
        ("on_downstream_data", "proxy_on_downstream_data"),
        ("on_upstream_data", "proxy_on_upstream_data"),
        ("on_foreign_function", "proxy_on_foreign_function"),
    ];

    /// Everything in the plugin's sources, as one text.
    fn plugin_sources(folder: &Path, text: &mut String) {
        for entry in folder.read_dir().expect("the folder can be read") {
            let path = entry.expect("it can be listed").path();
            if path.is_dir() {
                plugin_sources(&path, text);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                text.push_str(&fs::read_to_string(&path).expect("it can be read"));
            }
        }
    }

    #[test]
    fn exactly_the_callbacks_that_the_plugin_implements_are_kept() {
        let mut sources = String::new();
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugin/src");
        plugin_sources(&folder, &mut sources);
        let implemented = METHODS
            .into_iter()
            .filter(|(method, _)| sources.contains(&format!("fn {method}(")))
            .map(|(_, callback)| callback);
        let needed: BTreeSet<&str> = implemented.chain(OF_THE_SDK).collect();
        assert_eq!(BTreeSet::from(KEPT_CALLBACKS), needed);
    }

    #[test]
    fn pruning_twice_changes_nothing_more() {
        let once = prune(&module_exporting(&["memory_like", "proxy_on_log"])).expect("valid");
        assert_eq!(prune(&once).expect("valid"), once);
    }

    #[test]
    fn text_is_not_a_module() {
        assert!(matches!(prune(b"text"), Err(PruneError::Magic)));
        assert!(matches!(
            prune(b"\0asm\x01\0\0\0\x07"),
            Err(PruneError::Parse(_))
        ));
    }
}
