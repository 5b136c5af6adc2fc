//! A planted slowdown: a module that does what another does, and counts for a while before each request.
//!
//! Owns [`plant`]. A gate that is to notice slower builds is tested by it; no artefact has it. Must not know
//! what the module is or how much slower it becomes.

use wasm_encoder::{
    BlockType, CodeSection, ExportKind, ExportSection, Function, FunctionSection, Module,
    RawSection, ValType,
};
use wasmparser::{ExternalKind, Parser, Payload, TypeRef};

use super::exports::{PruneError, bytes, check_magic, written};

/// The callback that Envoy calls for each request.
const CALLBACK: &str = "proxy_on_request_headers";
/// How many parameters it has, all `i32`, as its result.
const PARAMETERS: u32 = 3;

/// What of a module says which function the callback is.
#[derive(Default)]
struct Shape {
    /// Type of every function, imported ones first.
    types: Vec<u32>,
    imported: usize,
    callback: Option<u32>,
}

/// The module with a loop of so many rounds before each call of [`CALLBACK`]. The rounds depend on each
/// other and on the end of the loop, so that no compiler leaves them out.
pub fn plant(module: &[u8], rounds: u32) -> Result<Vec<u8>, PruneError> {
    check_magic(module)?;
    let shape = Shape::of(module)?;
    let missing = || PruneError::Callback { name: CALLBACK };
    let callback = shape.callback.ok_or_else(missing)?;
    let own_type = *shape.types.get(callback as usize).ok_or_else(missing)?;
    let added = shape.types.len() as u32;
    let mut planted = Module::new();
    let mut code = CodeSection::new();
    let mut bodies = 0;
    for payload in Parser::new(0).parse_all(module) {
        let payload = payload?;
        match payload {
            Payload::FunctionSection(_) => {
                let mut functions = FunctionSection::new();
                for own in &shape.types[shape.imported..] {
                    functions.function(*own);
                }
                functions.function(own_type);
                planted.section(&functions);
            }
            Payload::ExportSection(reader) => {
                let mut exports = ExportSection::new();
                for export in reader {
                    let export = export?;
                    let kind = written(export.kind).ok_or_else(|| PruneError::Kind {
                        name: export.name.to_owned(),
                    })?;
                    let index = match (export.name, kind) {
                        (CALLBACK, ExportKind::Func) => added,
                        _ => export.index,
                    };
                    exports.export(export.name, kind, index);
                }
                planted.section(&exports);
            }
            Payload::CodeSectionStart { .. } => {}
            Payload::CodeSectionEntry(body) => {
                code.raw(body.as_bytes());
                bodies += 1;
                if bodies == shape.types.len() - shape.imported {
                    code.function(&looping(callback, rounds));
                    planted.section(&code);
                }
            }
            other => {
                if let Some((id, range)) = other.as_section() {
                    let data = bytes(module, range).ok_or(PruneError::Truncated)?;
                    planted.section(&RawSection { id, data });
                }
            }
        }
    }
    Ok(planted.finish())
}

impl Shape {
    fn of(module: &[u8]) -> Result<Self, PruneError> {
        let mut shape = Self::default();
        for payload in Parser::new(0).parse_all(module) {
            match payload? {
                Payload::ImportSection(reader) => {
                    for import in reader.into_imports() {
                        if let TypeRef::Func(own) = import?.ty {
                            shape.types.push(own);
                        }
                    }
                    shape.imported = shape.types.len();
                }
                Payload::FunctionSection(reader) => {
                    for own in reader {
                        shape.types.push(own?);
                    }
                }
                Payload::ExportSection(reader) => {
                    for export in reader {
                        let export = export?;
                        if export.name == CALLBACK && export.kind == ExternalKind::Func {
                            shape.callback = Some(export.index);
                        }
                    }
                }
                _ => {}
            }
        }
        Ok(shape)
    }
}

/// A function that counts, and then is `callback`. What it counts is never 0 in the end, which only a
/// person can see.
fn looping(callback: u32, rounds: u32) -> Function {
    let (left, sum) = (PARAMETERS, PARAMETERS + 1);
    let mut function = Function::new([(2, ValType::I32)]);
    let mut code = function.instructions();
    code.i32_const(rounds.max(1).cast_signed()).local_set(left);
    code.loop_(BlockType::Empty);
    code.local_get(sum)
        .i32_const(1_664_525)
        .i32_mul()
        .i32_const(1_013_904_223)
        .i32_add()
        .local_set(sum);
    code.local_get(left)
        .i32_const(1)
        .i32_sub()
        .local_tee(left)
        .br_if(0)
        .end();
    code.local_get(sum).i32_const(1).i32_or().i32_eqz();
    code.if_(BlockType::Empty).unreachable().end();
    for parameter in 0..PARAMETERS {
        code.local_get(parameter);
    }
    code.call(callback).end();
    function
}

#[cfg(test)]
mod tests {
    use wasm_encoder::{CustomSection, EntityType, ImportSection, TypeSection};

    use super::*;
    use crate::wasm_build::exports::names;

    /// An import, a function nobody calls, and the callback under its name.
    fn module(callback: &str) -> Vec<u8> {
        let mut types = TypeSection::new();
        types.ty().function([], []);
        types.ty().function([ValType::I32; 3], [ValType::I32]);
        let mut imports = ImportSection::new();
        imports.import("env", "proxy_log", EntityType::Function(0));
        let mut functions = FunctionSection::new();
        functions.function(0).function(1);
        let mut exports = ExportSection::new();
        exports.export("other", ExportKind::Func, 1);
        exports.export(callback, ExportKind::Func, 2);
        let mut code = CodeSection::new();
        let mut empty = Function::new([]);
        empty.instructions().end();
        let mut answer = Function::new([]);
        answer.instructions().i32_const(7).end();
        code.function(&empty).function(&answer);
        let mut module = Module::new();
        module.section(&types).section(&imports).section(&functions);
        module.section(&exports).section(&code);
        module.section(&CustomSection {
            name: "note".into(),
            data: b"kept"[..].into(),
        });
        module.finish()
    }

    #[test]
    fn the_callback_is_reached_through_the_loop_and_everything_else_stays() {
        let plain = module(CALLBACK);
        let planted = plant(&plain, 1000).expect("the module has the callback");
        wasmparser::validate(&planted).expect("the planted module is valid");
        assert_eq!(names(&planted).ok(), names(&plain).ok());
        assert!(planted.ends_with(b"kept"));
        let before = Shape::of(&plain).expect("valid");
        let after = Shape::of(&planted).expect("valid");
        assert_eq!((before.callback, after.callback), (Some(2), Some(3)));
        assert_eq!(after.types, [0, 0, 1, 1]);
        // More rounds are another constant and nothing else.
        let longer = plant(&plain, 1001).expect("the module has the callback");
        assert_eq!(longer.len(), planted.len());
        assert_ne!(longer, planted);
    }

    #[test]
    fn a_module_that_sees_no_request_is_refused() {
        let error = plant(&module("proxy_on_tick"), 10).expect_err("it has no such callback");
        assert!(error.to_string().contains(CALLBACK), "{error}");
        assert!(matches!(plant(b"text", 1), Err(PruneError::Magic)));
    }
}
