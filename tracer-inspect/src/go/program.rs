//! What is known about a Go program: its functions, the layout of its structures and the address of
//! the list of goroutines. All of it is found once and used for every process that runs the
//! program.

use std::fs::File;

use tracer_core::Limit;

use super::{
    all_goroutines,
    allocator::roots::{self, HeapRoots},
    entries::{self, Entries},
    executable::Executable,
    function_table::FunctionTable,
    functions::Functions,
    known_responses::KnownResponses,
    layout::{self, Layout},
    lines::Lines,
    target::Target,
};
use crate::{budget::Budget, process::memory::Memory};

/// Maximum number of attempts of a failed search.
const TRIES_MAX: u8 = 3;

/// A program.
#[derive(Debug)]
pub(super) enum Program {
    /// The process does not run a Go program.
    Other,
    Go(Box<GoProgram>),
}

/// A Go program.
#[derive(Debug)]
pub(super) struct GoProgram {
    pub(super) executable: Executable,
    /// Read on first use.
    layout: Option<Layout>,
    /// Found in the memory of a process that runs the program.
    functions: Search<Functions>,
    /// The address of `runtime.allgs`, as in the file.
    all_goroutines: Search<u64>,
    /// The heap.
    heap: Search<HeapRoots>,
    /// What searches of heaps have found out.
    known_responses: KnownResponses,
    /// The result of the search for hooked functions.
    entries: Option<Result<Entries, Limit>>,
}

/// A search that is repeated a few times until it succeeds. A process that has just started may not
/// be initialized yet.
#[derive(Debug)]
struct Search<T> {
    found: Option<T>,
    tries_left: u8,
}

impl<T> Default for Search<T> {
    fn default() -> Self {
        Self { found: None, tries_left: TRIES_MAX }
    }
}

impl<T> Search<T> {
    fn get(&mut self, find: impl FnOnce() -> Option<T>) -> Option<&mut T> {
        if self.found.is_none() && self.tries_left > 0 {
            self.tries_left -= 1;
            self.found = find();
        }
        self.found.as_mut()
    }
}

/// What a scan of goroutines needs.
pub(super) struct ScanInputs<'a> {
    pub(super) functions: &'a mut Functions,
    /// The address of `runtime.allgs`, as in the file.
    pub(super) all_goroutines: u64,
    /// The heap; `None` if it was not found.
    pub(super) heap: Option<HeapRoots>,
    /// What earlier searches have found out.
    pub(super) known_responses: &'a mut KnownResponses,
}

impl Program {
    /// Reads the file of a program.
    pub(super) fn read(file: File, budget: &Budget) -> Self {
        Executable::read(file, budget).map_or(Self::Other, |executable| {
            Self::Go(Box::new(GoProgram {
                executable,
                layout: None,
                functions: Search::default(),
                all_goroutines: Search::default(),
                heap: Search::default(),
                known_responses: KnownResponses::default(),
                entries: None,
            }))
        })
    }
}

impl Program {
    /// The approximate size of the program's data in memory, in bytes.
    pub(super) fn size(&self) -> u64 {
        match self {
            Self::Other => 0,
            Self::Go(program) => program.size(),
        }
    }
}

impl GoProgram {
    /// The layout of its structures. `file` is the file of the program.
    pub(super) fn layout(&mut self, file: File, budget: &Budget) -> Layout {
        let minor = self.executable.minor_version;
        *self.layout.get_or_insert_with(|| Layout::read(minor, file, budget))
    }

    #[cfg(all(test, feature = "root-tests", target_arch = "x86_64"))]
    pub(super) fn forget_responses(&mut self) {
        self.known_responses = KnownResponses::default();
    }

    /// The approximate size of the layout in memory, in bytes.
    fn size(&self) -> u64 {
        let functions = self.functions.found.as_ref().map_or(0, Functions::size);
        let size = size_of::<Self>().saturating_add(functions);
        u64::try_from(size.saturating_add(self.known_responses.size())).unwrap_or(u64::MAX)
    }

    /// What a scan of goroutines needs, found in the memory of a process if not known yet.
    ///
    /// # Errors
    /// The function table or the list of goroutines was not found.
    pub(super) fn scan_inputs(
        &mut self,
        layout: &Layout,
        target: Target<'_>,
    ) -> Result<ScanInputs<'_>, Limit> {
        let executable = &self.executable;
        let functions = functions(&mut self.functions, executable, target.memory, target.bias)?;
        let find = || all_goroutines(executable, &functions.table, layout, target);
        let all_goroutines = *self.all_goroutines.get(find).ok_or(Limit::GoroutineListMissing)?;
        let find = || heap_roots(executable, functions, layout, target, all_goroutines);
        let heap = self.heap.get(find).copied();
        let known_responses = &mut self.known_responses;
        Ok(ScanInputs { functions, all_goroutines, heap, known_responses })
    }

    /// The functions that the ledger hooks. `bias` is the load address minus the address in the
    /// file.
    ///
    /// # Errors
    /// The function table was not found, or no response can be tracked.
    pub(super) fn entries(&mut self, memory: &dyn Memory, bias: u64) -> Result<Entries, Limit> {
        if let Some(entries) = &self.entries {
            return entries.clone();
        }
        let functions = functions(&mut self.functions, &self.executable, memory, bias)?;
        let found = entries::find(&self.executable, &functions.table, memory, bias);
        self.entries.insert(found).clone()
    }

    /// The line tables. `bias` is the load address minus the address in the file.
    ///
    /// # Errors
    /// The function table was not found.
    pub(super) fn lines(&mut self, memory: &dyn Memory, bias: u64) -> Result<Lines<'_>, Limit> {
        let functions = functions(&mut self.functions, &self.executable, memory, bias)?;
        Ok(Lines { functions: &functions.table, tables: &functions.lines })
    }

    /// Whether the program was built with a Go version newer than the supported ones.
    pub(super) fn is_newer_than_supported(&self) -> bool {
        self.executable.minor_version > layout::NEWEST
    }
}

/// The functions of a program, found in the memory of a process if not known yet.
fn functions<'a>(
    search: &'a mut Search<Functions>,
    executable: &Executable,
    memory: &dyn Memory,
    bias: u64,
) -> Result<&'a mut Functions, Limit> {
    let find = || Functions::find(executable, memory, bias);
    search.get(find).ok_or(Limit::GoFunctionTableMissing)
}

/// The address of `runtime.allgs`, from the symbol table or from the code of `runtime.allgadd`.
fn all_goroutines(
    executable: &Executable,
    functions: &FunctionTable,
    layout: &Layout,
    target: Target<'_>,
) -> Option<u64> {
    let Target { memory, mappings, bias, .. } = target;
    let is_goroutines = |address: &u64| {
        let address = address.wrapping_add(bias);
        all_goroutines::is_plausible(memory, mappings, layout, address)
    };
    executable.all_goroutines.filter(is_goroutines).or_else(|| {
        let names = ["runtime.allgadd"];
        let operands = all_goroutines::data_operands(executable, functions, memory, bias, &names);
        operands.into_iter().find(is_goroutines)
    })
}

/// The heap of a program, found in the memory of a process.
fn heap_roots(
    executable: &Executable,
    functions: &Functions,
    layout: &Layout,
    target: Target<'_>,
    all_goroutines: u64,
) -> Option<HeapRoots> {
    let arenas = roots::find_arenas(executable, &functions.table, layout, target, all_goroutines)?;
    let sanitizer = functions.table.find(target.memory, target.bias, &["runtime.asanunpoison"]);
    let has_sanitizer = sanitizer.iter().any(Option::is_some);
    Some(HeapRoots { arenas, module: functions.module, has_sanitizer })
}
