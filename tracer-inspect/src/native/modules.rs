//! Names and lines of functions in modules (programs and libraries): from the DWARF of the module
//! or of its debug file, otherwise from the symbol table.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
};

use blazesym::symbolize::{
    CodeInfo, Input, Sym, Symbolized, Symbolizer,
    source::{Elf, Source as SymbolSource},
};
use cpp_demangle::Symbol;

use crate::frames::frame::{Frame, Language};
use crate::{
    cache::BoundedCache,
    process::{file_key::FileKey, maps::Mapping},
};

/// Maximum number of open modules. Each has a file descriptor, and one for its debug file.
const MODULES_MAX: usize = 16;

/// A cache of open modules.
#[derive(Debug)]
pub struct Modules {
    known: BoundedCache<FileKey, Module>,
}

impl Default for Modules {
    fn default() -> Self {
        Self { known: BoundedCache::new(MODULES_MAX) }
    }
}

#[derive(Debug)]
struct Module {
    /// Used only for this module, so that evicting the module frees all of its memory.
    symbolizer: Symbolizer,
    /// The path under which the file was first opened; it is not searched for again.
    path: PathBuf,
    /// `false` once reading the debug information has failed.
    has_debug_info: bool,
}

impl Modules {
    /// The function at an address in a mapping, preceded by the functions inlined there, innermost
    /// first. Empty if there is no name.
    pub fn frames(&mut self, pid: u32, mapping: &Mapping, address: u64) -> Vec<Frame<'static>> {
        let (Some(path), Some(offset)) = (mapping.path(), mapping.offset_in_file(address)) else {
            return Vec::new();
        };
        let Some(key) = self.open(pid, mapping) else { return Vec::new() };
        let Some(module) = self.known.get_mut(&key) else { return Vec::new() };
        // The watched process controls the file, so a panic of the parser must be contained.
        let frames = catch_unwind(AssertUnwindSafe(|| module.frames(offset, path)));
        frames.unwrap_or_else(|_| {
            self.known.remove(&key);
            Vec::new()
        })
    }

    fn open(&mut self, pid: u32, mapping: &Mapping) -> Option<FileKey> {
        let (path, metadata) = mapping.file(pid)?;
        let key = FileKey::of(&metadata);
        if !self.known.contains(&key) {
            let builder = Symbolizer::builder().enable_demangling(false).enable_auto_reload(false);
            let symbolizer = builder.build();
            self.known.insert(key, Module { symbolizer, path, has_debug_info: true });
        }
        Some(key)
    }
}

impl Module {
    fn frames(&mut self, offset: u64, module: &str) -> Vec<Frame<'static>> {
        let symbolized = loop {
            let mut source = Elf::new(&self.path);
            source.debug_syms = self.has_debug_info;
            let source = SymbolSource::Elf(source);
            match self.symbolizer.symbolize_single(&source, Input::FileOffset(offset)) {
                // The symbol table is still valid.
                Err(error) if self.has_debug_info => {
                    log::debug!("debug information of {module}: {error:#}");
                    self.has_debug_info = false;
                }
                Err(error) => {
                    log::debug!("symbols of {module}: {error:#}");
                    return Vec::new();
                }
                Ok(symbolized) => break symbolized,
            }
        };
        match symbolized {
            Symbolized::Sym(symbol) => frames(&symbol, module),
            Symbolized::Unknown(_) => Vec::new(),
        }
    }
}

/// A function, preceded by the functions inlined at the address, innermost first.
fn frames(symbol: &Sym, module: &str) -> Vec<Frame<'static>> {
    // A symbol without a size extends to the next symbol, which may be far away.
    if symbol.size.is_none_or(|size| symbol.offset >= size) {
        return Vec::new();
    }
    let frame = |name: &str, code: Option<&CodeInfo>| {
        let file = code.map(|code| code.to_path().to_string_lossy().into_owned());
        let file = file.unwrap_or_default();
        let (language, function) = demangled(name, &file);
        Frame {
            language,
            function: function.into(),
            file: file.into(),
            line: code.and_then(|code| code.line),
            module: module.to_owned().into(),
        }
    };
    let inlined = symbol.inlined.iter().rev();
    let inlined = inlined.map(|call| frame(&call.name, call.code_info.as_ref()));
    inlined.chain([frame(&symbol.name, symbol.code_info.as_deref())]).collect()
}

/// The language of a function and its demangled name. `file` is its source file, or empty.
pub fn demangled(name: &str, file: &str) -> (Language, String) {
    let is_rust = file.strip_suffix(".rs").is_some();
    if let Ok(symbol) = rustc_demangle::try_demangle(name) {
        let plain = format!("{symbol:#}");
        // Rust's legacy mangling is valid C++ mangling; the hash at the end distinguishes them.
        if is_rust || name.starts_with("_R") || plain != symbol.to_string() {
            return (Language::Rust, plain);
        }
    }
    let language = if is_rust { Language::Rust } else { Language::Native };
    let symbol = name.starts_with("_Z").then(|| Symbol::new(name).ok()).flatten();
    let demangled = symbol.and_then(|symbol| symbol.demangle().ok());
    (language, demangled.unwrap_or_else(|| name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_demangled() {
        for (mangled, file, expected) in [
            ("_ZN7crawler5fetch17h0123456789abcdefE", "", (Language::Rust, "crawler::fetch")),
            ("_RNvCs1234_7crawler5fetch", "", (Language::Rust, "crawler::fetch")),
            ("_ZN4acme5fetchEi", "", (Language::Native, "acme::fetch(int)")),
            ("_ZN4acme5fetchEv", "", (Language::Native, "acme::fetch()")),
            ("fetch", "/src/fetch.c", (Language::Native, "fetch")),
            ("main", "/src/main.rs", (Language::Rust, "main")),
            ("_Znonsense", "", (Language::Native, "_Znonsense")),
            ("", "", (Language::Native, "")),
        ] {
            let (language, name) = demangled(mangled, file);
            assert_eq!((language, name.as_str()), expected, "{mangled}");
        }
    }
}
