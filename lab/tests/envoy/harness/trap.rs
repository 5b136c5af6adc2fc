//! The plugin's own artefact, made to trap: what a bug would do, without a bug in the product.
//!
//! Owns the change to the module: callbacks get a door in front of them that traps, and everything
//! behind it is copied byte by byte.

use tempfile::TempPath;
use wasm_encoder::{
    BlockType, ConstExpr, ExportKind, ExportSection, Function, GlobalSection, GlobalType,
    Instruction, Module, RawSection, ValType,
};
use wasmparser::{ExternalKind, Parser, Payload, SectionLimited, TypeRef};

/// A request with so many headers ends the VM.
const HEADERS: i32 = 80;

/// When a module traps.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Trap {
    /// In its nth tick.
    AtTick(i32),
    /// At a request with [`fatal_headers`].
    AtRequest,
}

/// Headers that a module made with [`Trap::AtRequest`] cannot bear.
pub(crate) fn fatal_headers() -> impl Iterator<Item = String> {
    (0..HEADERS).map(|n| format!("x-many-{n}"))
}

/// The module at `path` with such a door, in a file of its own.
pub(crate) fn trapping(path: &std::path::Path, trap: Trap) -> TempPath {
    let module = std::fs::read(path).expect("the artefact can be read");
    let file = tempfile::Builder::new().suffix(".wasm").tempfile();
    let file = file.expect("a temporary file can be made").into_temp_path();
    std::fs::write(&file, changed(&module, trap)).expect("it can be written");
    file
}

/// What has to be known of a module to put a function in front of another.
#[derive(Default)]
struct Outline {
    imported_functions: u32,
    imported_globals: u32,
    /// The type of each function of its own.
    functions: Vec<u32>,
    globals: u32,
    /// The callback.
    target: u32,
}

impl Trap {
    fn callback(self) -> &'static str {
        match self {
            Self::AtTick(_) => "proxy_on_tick",
            Self::AtRequest => "proxy_on_request_headers",
        }
    }

    /// The door: `target` is behind it, `global` counts.
    fn body(self, target: u32, global: u32) -> Function {
        let mut body = Function::new([]);
        let parameters = match self {
            Self::AtTick(ticks) => {
                body.instruction(&Instruction::GlobalGet(global));
                body.instruction(&Instruction::I32Const(1));
                body.instruction(&Instruction::I32Add);
                body.instruction(&Instruction::GlobalSet(global));
                body.instruction(&Instruction::GlobalGet(global));
                body.instruction(&Instruction::I32Const(ticks));
                1
            }
            Self::AtRequest => {
                body.instruction(&Instruction::LocalGet(1));
                body.instruction(&Instruction::I32Const(HEADERS));
                3
            }
        };
        body.instruction(&Instruction::I32GeU);
        body.instruction(&Instruction::If(BlockType::Empty));
        body.instruction(&Instruction::Unreachable);
        body.instruction(&Instruction::End);
        for parameter in 0..parameters {
            body.instruction(&Instruction::LocalGet(parameter));
        }
        body.instruction(&Instruction::Call(target));
        body.instruction(&Instruction::End);
        body
    }
}

impl Outline {
    fn of(module: &[u8], callback: &str) -> Self {
        let mut outline = Self::default();
        for payload in payloads(module) {
            match payload {
                Payload::ImportSection(imports) => {
                    for import in imports.into_imports() {
                        match import.expect("a well-formed module").ty {
                            TypeRef::Func(_) => outline.imported_functions += 1,
                            TypeRef::Global(_) => outline.imported_globals += 1,
                            _ => {}
                        }
                    }
                }
                Payload::FunctionSection(functions) => {
                    let types = functions.into_iter().map(|ty| ty.expect("a type"));
                    outline.functions = types.collect();
                }
                Payload::GlobalSection(globals) => outline.globals = globals.count(),
                Payload::ExportSection(exports) => {
                    let mut exports = exports.into_iter().map(|export| export.expect("an export"));
                    let target = exports.find(|export| export.name == callback);
                    outline.target = target.expect("the plugin has the callback").index;
                }
                _ => {}
            }
        }
        outline
    }
}

fn changed(module: &[u8], trap: Trap) -> Vec<u8> {
    let outline = Outline::of(module, trap.callback());
    let global = outline.imported_globals + outline.globals;
    let own = outline.target - outline.imported_functions;
    let ty = outline.functions[own as usize];
    let door = outline.imported_functions + outline.functions.len() as u32;
    let mut changed = Module::new();
    for payload in payloads(module) {
        let Some((id, range)) = payload.as_section() else {
            continue;
        };
        let data = &module[range.start as usize..range.end as usize];
        let longer = |count: u32, entry: &[u8]| {
            let mut bytes = leb(count + 1);
            let old = data.iter().take_while(|byte| **byte >= 0x80).count() + 1;
            bytes.extend_from_slice(&data[old..]);
            bytes.extend_from_slice(entry);
            bytes
        };
        let bytes = match &payload {
            Payload::FunctionSection(functions) => longer(functions.count(), &leb(ty)),
            Payload::GlobalSection(globals) => longer(globals.count(), &counter()),
            Payload::CodeSectionStart { count, .. } => {
                longer(*count, &entry(&trap.body(outline.target, global)))
            }
            Payload::ExportSection(exports) => {
                changed.section(&exported(exports, trap.callback(), door));
                continue;
            }
            _ => data.to_vec(),
        };
        changed.section(&RawSection { id, data: &bytes });
    }
    changed.finish()
}

fn exported(
    exports: &SectionLimited<'_, wasmparser::Export<'_>>,
    callback: &str,
    door: u32,
) -> ExportSection {
    let mut section = ExportSection::new();
    for export in exports.clone() {
        let export = export.expect("an export");
        let kind = match export.kind {
            ExternalKind::Func => ExportKind::Func,
            ExternalKind::Memory => ExportKind::Memory,
            ExternalKind::Table => ExportKind::Table,
            ExternalKind::Global => ExportKind::Global,
            other => panic!("the plugin exports {other:?}"),
        };
        let index = if export.name == callback {
            door
        } else {
            export.index
        };
        section.export(export.name, kind, index);
    }
    section
}

/// A variable that begins with 0, as an entry of its section.
fn counter() -> Vec<u8> {
    let mut section = GlobalSection::new();
    let ty = GlobalType {
        val_type: ValType::I32,
        mutable: true,
        shared: false,
    };
    section.global(ty, &ConstExpr::i32_const(0));
    let mut module = Module::new();
    module.section(&section);
    only_entry(&module.finish())
}

/// A function, as an entry of its section.
fn entry(function: &Function) -> Vec<u8> {
    let mut section = wasm_encoder::CodeSection::new();
    section.function(function);
    let mut module = Module::new();
    module.section(&section);
    only_entry(&module.finish())
}

/// What follows a module's header, the section's id and size of one byte each, and the count 1.
fn only_entry(module: &[u8]) -> Vec<u8> {
    module[8 + 3..].to_vec()
}

fn payloads(module: &[u8]) -> impl Iterator<Item = Payload<'_>> {
    let payloads = Parser::new(0).parse_all(module);
    payloads.map(|payload| payload.expect("a well-formed module"))
}

fn leb(mut value: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = (value & 0x7f) as u8;
        value >>= 7;
        if value == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}
