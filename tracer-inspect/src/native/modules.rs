//! Names and lines of functions in modules (programs and libraries): from the DWARF of the module
//! or of its debug file, otherwise from the symbol table.

use std::{
    fmt,
    fs::File,
    os::fd::AsRawFd as _,
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
};

use blazesym::symbolize::{
    CodeInfo, Input, Sym, Symbolized, Symbolizer,
    source::{Elf as ElfSource, Source as SymbolSource},
};
use cpp_demangle::{DemangleOptions, Symbol};
use tracer_core::Limit;

use super::debug_link::{self, Linked};
use crate::frames::frame::{Frame, Language};
use crate::{
    budget::Budget,
    cache::BoundedCache,
    elf::{Elf, SECTION_HEADERS_MAX, UnreadSections},
    process::{file_key::FileKey, maps::Mapping},
};

/// Maximum number of open modules. Each has two file descriptors, and one for its debug file.
const MODULES_MAX: usize = 16;
/// Maximum size in bytes of the symbol table of a module with its names.
const SYMBOLS_MAX: u64 = 64 << 20;
/// Maximum size in bytes of the debug information of a module: of sections that are mapped, and of
/// compressed ones, which are allocated.
const DEBUG_INFO_MAX: u64 = 512 << 20;
const INFLATED_MAX: u64 = 64 << 20;
/// The parser allocates about a byte for this many bytes that it maps.
const MAPPED_PER_ALLOCATED: u64 = 8;
/// Maximum number of bytes allocated for all modules in the cache, as estimated.
const ALLOCATED_MAX: u64 = 128 << 20;
/// Maximum length of a name in bytes, as in the symbol table and demangled.
const NAME_MAX: usize = 16 << 10;

const SYMBOLS: [&str; 4] = [".symtab", ".strtab", ".dynsym", ".dynstr"];
const DEBUG_INFO: [&str; 15] = [
    ".debug_abbrev",
    ".debug_addr",
    ".debug_aranges",
    ".debug_info",
    ".debug_line",
    ".debug_line_str",
    ".debug_loc",
    ".debug_loclists",
    ".debug_macinfo",
    ".debug_macro",
    ".debug_ranges",
    ".debug_rnglists",
    ".debug_str",
    ".debug_str_offsets",
    ".debug_types",
];

/// A cache of open modules.
#[derive(Debug)]
pub struct Modules {
    /// The open modules, each with debug information or without.
    known: BoundedCache<(FileKey, bool), Module>,
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
    /// Leads to the file that was opened and checked, whatever its path leads to by now.
    path: PathBuf,
    /// Keeps `path` valid.
    _file: File,
    /// `false` if it is not wanted, too large or not trusted, and once reading it has failed.
    has_debug_info: bool,
    /// Estimated number of bytes that are allocated for the module's symbols.
    allocated: u64,
}

impl Modules {
    /// The function at an address in a mapping, preceded by the functions inlined there, innermost
    /// first. Empty if there is no name.
    ///
    /// # Errors
    /// The symbol table is too large.
    pub fn frames(
        &mut self,
        pid: u32,
        mapping: &Mapping,
        address: u64,
        budget: &Budget,
    ) -> Result<Vec<Frame<'static>>, Limit> {
        let (Some(path), Some(offset)) = (mapping.path(), mapping.offset_in_file(address)) else {
            return Ok(Vec::new());
        };
        let Some(key) = self.open(pid, mapping, budget)? else { return Ok(Vec::new()) };
        let Some(module) = self.known.get_mut(&key) else { return Ok(Vec::new()) };
        // The watched process controls the file, so a panic of the parser must be contained.
        let frames = catch_unwind(AssertUnwindSafe(|| module.frames(offset, path)));
        Ok(frames.unwrap_or_else(|_| {
            self.known.remove(&key);
            Vec::new()
        }))
    }

    fn open(
        &mut self,
        pid: u32,
        mapping: &Mapping,
        budget: &Budget,
    ) -> Result<Option<(FileKey, bool)>, Limit> {
        let Some((file, metadata)) = mapping.open(pid, budget) else { return Ok(None) };
        let key = (FileKey::of(&metadata), budget.allows_debug_info());
        if !self.known.contains(&key) {
            let Some(module) = Module::open(pid, file, budget)? else { return Ok(None) };
            let rest = ALLOCATED_MAX.saturating_sub(module.allocated);
            self.known.shrink(rest, |module| module.allocated);
            self.known.insert(key, module);
        }
        Ok(Some(key))
    }
}

impl Module {
    /// `None` if it is not a 64-bit ELF file.
    ///
    /// # Errors
    /// The symbol table of the module is too large.
    fn open(pid: u32, file: File, budget: &Budget) -> Result<Option<Self>, Limit> {
        let copy = file.try_clone().ok();
        let Some(elf) = copy.and_then(|file| Elf::parse(file, budget)) else { return Ok(None) };
        // The library searches all section headers, whatever their number.
        match elf.unread_sections {
            None => {}
            Some(UnreadSections::Damaged) => return Ok(None),
            Some(UnreadSections::TooMany) => {
                return Err(Limit::InspectionTooLarge { bytes_max: SECTION_HEADERS_MAX });
            }
        }
        // The library does not decompress these.
        let symbols = elf.stored_size_of(&SYMBOLS);
        if symbols > SYMBOLS_MAX {
            return Err(Limit::InspectionTooLarge { bytes_max: SYMBOLS_MAX });
        }
        let follow = || debug_link::follow(pid, &elf, &file, budget);
        let linked = budget.allows_debug_info().then(follow);
        let debug_info = match linked.unwrap_or(Linked::Untrusted) {
            Linked::Untrusted => None,
            Linked::Nothing => allocated(&elf),
            Linked::File(linked) => allocated(&elf).zip(allocated(&linked)).map(|(a, b)| a + b),
        };
        let has_debug_info = debug_info.is_some();
        let debug_info = debug_info.unwrap_or(0);
        let builder = Symbolizer::builder().enable_demangling(false).enable_auto_reload(false);
        Ok(Some(Self {
            symbolizer: builder.build(),
            path: format!("/proc/self/fd/{}", file.as_raw_fd()).into(),
            _file: file,
            has_debug_info,
            allocated: symbols / MAPPED_PER_ALLOCATED + debug_info,
        }))
    }

    fn frames(&mut self, offset: u64, module: &str) -> Vec<Frame<'static>> {
        let symbolized = loop {
            let mut source = ElfSource::new(&self.path);
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

/// Estimated number of bytes that reading the debug information of a file allocates; `None` if it
/// is too large, or if the library would also keep all relocations in memory.
fn allocated(elf: &Elf) -> Option<u64> {
    if elf.is_relocatable {
        return None;
    }
    let (mapped, inflated) = elf.size_of(&DEBUG_INFO);
    (mapped <= DEBUG_INFO_MAX && inflated <= INFLATED_MAX)
        .then_some(mapped / MAPPED_PER_ALLOCATED + inflated)
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

/// The language of a function and its demangled name. `file` is its source file, or empty. A name
/// that is too long is cut off, and not demangled.
pub fn demangled(name: &str, file: &str) -> (Language, String) {
    let is_rust = file.strip_suffix(".rs").is_some();
    let language = if is_rust { Language::Rust } else { Language::Native };
    if name.len() > NAME_MAX {
        let end = name.floor_char_boundary(NAME_MAX);
        return (language, name.get(..end).unwrap_or_default().to_owned());
    }
    if let Ok(symbol) = rustc_demangle::try_demangle(name) {
        let plain = limited(format_args!("{symbol:#}"));
        // Rust's legacy mangling is valid C++ mangling; the hash at the end distinguishes them.
        if is_rust || name.starts_with("_R") || plain != limited(format_args!("{symbol}")) {
            return (Language::Rust, plain);
        }
    }
    let symbol = name.starts_with("_Z").then(|| Symbol::new(name).ok()).flatten();
    let demangled = symbol.and_then(|symbol| {
        let mut text = Limited(String::new());
        symbol.structured_demangle(&mut text, &DemangleOptions::default()).ok()?;
        Some(text.0)
    });
    (language, demangled.unwrap_or_else(|| name.to_owned()))
}

/// A text of at most [`NAME_MAX`] bytes. A longer one is an error: a short mangled name can refer
/// to parts of itself, and so expand to any length.
struct Limited(String);

impl fmt::Write for Limited {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.0.len().saturating_add(text.len()) > NAME_MAX {
            return Err(fmt::Error);
        }
        self.0.push_str(text);
        Ok(())
    }
}

/// The text, or its beginning.
fn limited(text: fmt::Arguments<'_>) -> String {
    let mut limited = Limited(String::new());
    let _ = fmt::Write::write_fmt(&mut limited, text);
    limited.0
}

#[cfg(test)]
mod tests;
