//! Go programs: which goroutine is waiting to read a connection, its state in `net/http`, and what
//! can still reach its response.
//!
//! Everything is read from the memory of the running process, which is neither stopped nor changed.
//! The process moves its stacks and frees its objects in the meantime. Therefore each step verifies
//! that the memory contains what it expects, and all of it is read twice. If any check fails, the
//! result is unknown.
//!
//! 1. `/proc/PID/fdinfo/EPFD` contains the address of the `runtime.pollDesc` of an fd. It must have
//!    the same fd and the same tag as the registration. Its `rg` is the goroutine that is waiting
//!    to read.
//! 2. `runtime.allgs` lists the goroutines. A `net/http.(*persistConn).readLoop` in
//!    `runtime.selectgo` is waiting until a response body is read or closed; one in
//!    `bufio.(*Reader).Peek` is waiting for the next response.
//! 3. One variable of `readLoop` is its `*persistConn`. It is recognized by a `bufio.Reader` that
//!    reads from it, and by a connection, possibly inside TLS, that is a `net.netFD` with the fd
//!    and the `pollDesc` of step 1. Another variable is the request.
//! 4. For each connection that waits for its body to be read, the heap shows whether the program can
//!    still reach the response: its body was collected, or no live object, no variable and no stack
//!    refers to it (`heap.rs`). Where the heap cannot be searched, the stacks of the other goroutines
//!    show whether any of them references the response.

mod all_goroutines;
mod allocator;
pub mod build_info;
pub mod debug_info;
mod entries;
pub mod executable;
mod follower;
mod frame_variables;
pub mod function_table;
mod functions;
mod goroutine;
mod goroutine_scan;
mod heap;
mod http_connection;
mod http_objects;
mod inspection;
mod known_responses;
pub mod layout;
pub mod lines;
mod poll;
mod program;
pub(crate) mod prologue;
mod read_loop;
mod request;
mod response_references;
mod responses;
mod stack;
mod stacks;
mod target;

use std::{collections::BTreeSet, fs::File, path::Path};

use tracer_core::{Asked, Limit, ProcessKey};

#[cfg(all(test, feature = "root-tests", target_arch = "x86_64"))]
pub(crate) use self::lines::as_root::Stacks;
pub use self::{
    entries::{Entries, LedgerHook},
    http_objects::{HttpObject, ResolvedConnection},
    lines::GoFrame,
};
use self::{
    executable::{Executable, Machine},
    http_objects::Resolver,
    inspection::GoInspection,
    lines::Inconsistent,
    program::{GoProgram, Program},
    target::Target,
};
use crate::{
    budget::Budget,
    cache::BoundedCache,
    process::{
        access::{attach_error, file_error},
        auxiliary_vector,
        epoll::{Epolls, Registration},
        file_key::FileKey,
        identity::is_running,
        maps::Mappings,
        memory::ProcessMemory,
        pagemap::PageMap,
        pages::Pages,
        regular_file::{self, Place},
        socket_link,
    },
};

/// Maximum number of programs in the cache.
const PROGRAMS_MAX: usize = 64;
/// Maximum number of bytes of all programs in the cache.
const PROGRAMS_SIZE_MAX: u64 = 32 << 20;

/// A cache of programs. Facts found in the file or in one process apply to all processes that run
/// the program.
#[derive(Debug)]
pub(crate) struct GoPrograms {
    known: BoundedCache<FileKey, Program>,
    epolls: Epolls,
}

impl Default for GoPrograms {
    fn default() -> Self {
        Self { known: BoundedCache::new(PROGRAMS_MAX), epolls: Epolls::default() }
    }
}

/// The code at an address of a Go process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum GoCode {
    /// A Go function, preceded by the functions inlined there, innermost first.
    Frames(Vec<GoFrame>),
    /// Code that is not in Go's function table.
    Other,
    /// Go code whose line table does not match it.
    Inconsistent,
}

impl GoPrograms {
    /// Forgets the results of heap searches, so that the next inspection searches again.
    #[cfg(all(test, feature = "root-tests", target_arch = "x86_64"))]
    fn forget_responses(&mut self) {
        for program in self.known.values_mut() {
            if let Program::Go(program) = program {
                program.forget_responses();
            }
        }
    }

    /// Finds the goroutines waiting for these connections, and the state of HTTP client
    /// connections. `None` if the process does not run a Go program.
    pub(crate) fn inspect(
        &mut self,
        process: ProcessKey,
        registrations: &[Registration],
        asked: &[Asked],
        budget: &Budget,
    ) -> Option<GoInspection> {
        let (program, file) = self.go_program(process.pid, budget)?;
        let inspection = check_supported(&program.executable).and_then(|()| {
            // The layout of stack frames is that of amd64.
            if program.executable.machine != Machine::Amd64 {
                return Err(Limit::GoroutinesNotOnArchitecture);
            }
            inspect(process.pid, program, &file, registrations, asked, budget)
        });
        let nothing = |limit| GoInspection { limits: vec![limit], ..GoInspection::default() };
        Some(inspection.unwrap_or_else(nothing))
    }

    /// The functions at each address of a stack: the instruction pointer, followed by return
    /// addresses. `None` if the process does not run a Go program.
    ///
    /// # Errors
    /// The memory of the process cannot be read, or its function table was not found.
    pub(crate) fn calls(
        &mut self,
        pid: u32,
        stack: &[u64],
        budget: &Budget,
    ) -> Option<Result<Vec<GoCode>, Limit>> {
        let (program, _) = self.go_program(pid, budget)?;
        let opened = Opened::open(pid, &program.executable, budget);
        Some(opened.and_then(|opened| calls(&opened, program, stack)))
    }

    /// The functions of `net/http` to which uprobes are attached, as offsets in the program's file,
    /// and the file. `None` if the process does not run a Go program.
    ///
    /// # Errors
    /// No response of this program can be followed; the limit says why.
    pub(crate) fn entries(
        &mut self,
        process: ProcessKey,
        budget: &Budget,
    ) -> Option<Result<(Entries, File), Limit>> {
        let Some((program, file)) = self.go_program(process.pid, budget) else {
            return budget.not_local().map(Err);
        };
        let entries = check_supported(&program.executable).and_then(|()| {
            let opened = Opened::open(process.pid, &program.executable, budget)?;
            program.entries(&opened.memory, opened.bias)
        });
        Some(entries.map(|entries| (entries, file)))
    }

    /// The TCP connection of each HTTP client object, in the order of `objects`; `None` if no
    /// connection could be verified.
    ///
    /// # Errors
    /// The process cannot be inspected; the limit says why.
    pub(crate) fn resolve(
        &mut self,
        process: ProcessKey,
        objects: &[HttpObject],
        budget: &Budget,
    ) -> Result<Vec<Option<ResolvedConnection>>, Limit> {
        let registrations = self.epolls.registrations(process, &BTreeSet::new());
        let registrations =
            registrations.map_err(|error| Limit::FdsUnreadable { error: file_error(&error) })?;
        let not_go = || budget.not_local().unwrap_or(Limit::NotGo);
        let (program, file) = self.go_program(process.pid, budget).ok_or_else(not_go)?;
        check_supported(&program.executable)?;
        let mappings = Mappings::of(process.pid, budget)?;
        let Opened { memory, .. } = Opened::open(process.pid, &program.executable, budget)?;
        let layout = program.layout(file, budget);
        let resolver = Resolver {
            memory: &memory,
            mappings: &mappings,
            layout: &layout,
            registrations: registrations.list(),
            socket: &|fd| socket_link::tcp_inode(process.pid, fd),
        };
        let connections = resolver.resolve(objects);
        // The pid may have been reused in the meantime.
        is_running(process).then_some(connections).ok_or(Limit::ProcessEnded)
    }

    fn go_program(&mut self, pid: u32, budget: &Budget) -> Option<(&mut GoProgram, File)> {
        match self.program(pid, budget)? {
            (Program::Go(program), file) => Some((program, file)),
            (Program::Other, _) => None,
        }
    }

    /// The program of a process and its file, which opens even if it has been deleted or replaced.
    fn program(&mut self, pid: u32, budget: &Budget) -> Option<(&mut Program, File)> {
        // What earlier questions found has grown the programs since.
        self.known.shrink(PROGRAMS_SIZE_MAX, Program::size);
        let link = format!("/proc/{pid}/exe");
        let opened = regular_file::open(pid, Place::Link(Path::new(&link)), budget);
        let (file, metadata) = opened.ok()?;
        let key = FileKey::of(&metadata);
        if !self.known.contains(&key) {
            let program = Program::read(file.try_clone().ok()?, budget);
            if budget.is_exceeded() {
                return None;
            }
            self.known.insert(key, program);
        }
        Some((self.known.get_mut(&key)?, file))
    }
}

/// Checks that the program can be inspected.
///
/// # Errors
/// Programs of this Go version or for this architecture are not supported.
fn check_supported(executable: &Executable) -> Result<(), Limit> {
    let minor = executable.minor_version;
    if executable.machine != Machine::NATIVE {
        return Err(Limit::GoOtherArchitecture);
    }
    if minor < layout::OLDEST {
        return Err(Limit::GoTooOld { minor, oldest_minor: layout::OLDEST });
    }
    Ok(())
}

/// A process whose memory can be read.
struct Opened<'a> {
    memory: ProcessMemory<'a>,
    /// The load address minus the address in the file.
    bias: u64,
}

impl<'a> Opened<'a> {
    /// Opens the memory of a process.
    ///
    /// # Errors
    /// The memory cannot be read.
    fn open(pid: u32, executable: &Executable, budget: &'a Budget) -> Result<Self, Limit> {
        let entry = auxiliary_vector::entry(pid)
            .map_err(|error| Limit::MemoryUnreadable { error: file_error(&error) })?;
        let memory = ProcessMemory::open(pid, entry, budget)
            .map_err(|error| Limit::MemoryUnreadable { error: attach_error(&error) })?;
        Ok(Self { memory, bias: entry.wrapping_sub(executable.entry) })
    }
}

/// Inspects one process.
///
/// # Errors
/// The memory of the process cannot be read.
fn inspect(
    pid: u32,
    program: &mut GoProgram,
    file: &File,
    registrations: &[Registration],
    asked: &[Asked],
    budget: &Budget,
) -> Result<GoInspection, Limit> {
    let mappings = Mappings::of(pid, budget)?;
    let Opened { memory, bias } = Opened::open(pid, &program.executable, budget)?;
    let is_same = |asked: &Asked| socket_link::is_same(pid, asked);
    let duplicate = file.try_clone();
    let duplicate =
        duplicate.map_err(|error| Limit::MemoryUnreadable { error: file_error(&error) })?;
    let layout = program.layout(duplicate, budget);
    // Without the page map, absent pages of the heap are read as well: the kernel maps zeros there.
    let page_map = PageMap::open(pid).ok();
    let page_map = page_map.as_ref();
    let target = Target { pid, memory: &memory, mappings: &mappings, page_map, file, bias };
    let mut inspection =
        inspection::inspect(target, program, &layout, registrations, asked, &is_same);
    let limits = &mut inspection.limits;
    if program.is_newer_than_supported() && (!limits.is_empty() || inspection.found.is_empty()) {
        if limits.is_empty() {
            limits.push(Limit::NothingVerified);
        }
        let minor = program.executable.minor_version;
        limits.push(Limit::GoTooNew { minor, newest_minor: layout::NEWEST });
    }
    Ok(inspection)
}

/// The functions at each address of a stack.
///
/// # Errors
/// The function table was not found.
fn calls(opened: &Opened, program: &mut GoProgram, stack: &[u64]) -> Result<Vec<GoCode>, Limit> {
    let Opened { memory, bias } = opened;
    let lines = program.lines(memory, *bias)?;
    let mut pages = Pages::new(memory);
    let code = stack.iter().enumerate().map(|(number, &address)| {
        match lines.frames(&mut pages, *bias, address, number == 0) {
            Ok(Some(frames)) => GoCode::Frames(frames),
            Ok(None) => GoCode::Other,
            Err(Inconsistent) => GoCode::Inconsistent,
        }
    });
    Ok(code.collect())
}

#[cfg(test)]
#[cfg(feature = "root-tests")]
mod as_root;
