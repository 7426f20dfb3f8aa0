//! Go: who waits for a connection by the runtime's own books, and **the Go proof**, which says what
//! `net/http` does with it.
//!
//! Everything is read from the memory of the running process, which is neither stopped nor changed.
//! Because it moves its stacks and frees its objects meanwhile, nothing counts that was seen once:
//! each step verifies that what it read is what it takes it for, and what remains is looked at a
//! second time. Where anything does not hold, nothing is said.
//!
//! 1. `/proc/PID/fdinfo/EPFD` names Go's `pollDesc` of a descriptor. It must have the number of the
//!    descriptor and the tag of the registration. Its `rg` is the goroutine that waits to read.
//! 2. `runtime.allgs` lists the goroutines. A `readLoop` in `runtime.selectgo` waits for a body to
//!    be read or closed; one in `bufio.(*Reader).Peek` waits for the next response.
//! 3. A variable of `readLoop` is the `persistConn`: the one whose buffer reads from it, and whose
//!    connection, perhaps through TLS, is a `netFD` with the descriptor and the very `pollDesc` of
//!    step 1. Another is the request.
//! 4. Other goroutines' stacks tell whether somebody still has the response.

mod all_goroutines;
pub mod build_info;
pub mod debug_info;
mod entries;
pub mod executable;
mod follower;
mod frame_variables;
pub mod function_table;
mod goroutine;
mod goroutine_scan;
mod http_connection;
mod http_objects;
mod inspection;
pub mod layout;
pub mod lines;
mod poll;
mod program;
pub mod prologue;
mod read_loop;
mod request;
mod response_references;
mod responses;
mod stacks;
mod target;

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io,
};

use tracer_core::{Asked, Limit, ProcessKey};

#[cfg(all(test, target_arch = "x86_64"))]
pub(crate) use self::lines::tests::Stacks;
pub use self::{
    entries::{Entries, LedgerHook},
    http_objects::{HttpObject, ResolvedConnection},
    inspection::GoInspection,
    lines::GoFrame,
};
use self::{
    executable::{Executable, Machine},
    http_objects::Following,
    lines::Inconsistent,
    program::{GoProgram, Program},
    target::Target,
};
use crate::{
    cache::BoundedCache,
    process::{
        access::{attach_error, file_error},
        epoll::{Epolls, Registration},
        file_key::FileKey,
        identity::is_running,
        maps::Mappings,
        memory::{ProcessMemory, word_at},
        pages::Pages,
        socket_link,
    },
};

/// Most programs that are remembered.
const PROGRAMS_MAX: usize = 64;

/// The programs that were looked at. What is found once holds for every process of a program.
#[derive(Debug)]
pub struct GoPrograms {
    known: BoundedCache<FileKey, Program>,
    epolls: Epolls,
}

impl Default for GoPrograms {
    fn default() -> Self {
        Self { known: BoundedCache::new(PROGRAMS_MAX), epolls: Epolls::default() }
    }
}

/// What there is at an address of a Go process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GoCode {
    /// These calls, the innermost first.
    Frames(Vec<GoFrame>),
    /// Code that is not Go's.
    Other,
    /// Go code whose line table does not match it.
    Inconsistent,
}

impl GoPrograms {
    /// Looks at who in a Go process waits for the connections that are asked about. Does not stop
    /// the process, and does not write to it. `None`: not a Go program.
    pub fn inspect(
        &mut self,
        process: ProcessKey,
        registrations: &[Registration],
        asked: &[Asked],
    ) -> Option<GoInspection> {
        let (program, file) = self.go_program(process.pid)?;
        let inspection = is_known(&program.executable).and_then(|()| {
            // Frames of other machines are not laid out like those of amd64.
            if program.executable.machine != Machine::Amd64 {
                return Err(Limit::GoroutinesNotOnArchitecture);
            }
            inspect(process.pid, program, file, registrations, asked)
        });
        let nothing = |limit| GoInspection { limits: vec![limit], ..GoInspection::default() };
        Some(inspection.unwrap_or_else(nothing))
    }

    /// The calls at each address of a process's stack, which begins with where the thread is: the
    /// others are where calls return to. `None`: not a Go program.
    ///
    /// # Errors
    /// Its memory cannot be read, or its function table was not found.
    pub fn calls(&mut self, pid: u32, stack: &[u64]) -> Option<Result<Vec<GoCode>, Limit>> {
        let (program, _) = self.go_program(pid)?;
        let opened = Opened::open(pid, &program.executable);
        Some(opened.and_then(|opened| calls(&opened, program, stack)))
    }

    /// Where in the program of a process the functions begin by which responses can be followed.
    /// `None`: not a Go program.
    ///
    /// # Errors
    /// None of its responses can be followed: the limit says why.
    pub fn entries(&mut self, process: ProcessKey) -> Option<Result<Entries, Limit>> {
        let (program, _) = self.go_program(process.pid)?;
        Some(is_known(&program.executable).and_then(|()| {
            let opened = Opened::open(process.pid, &program.executable)?;
            program.entries(&opened.memory, opened.bias)
        }))
    }

    /// Where these objects of the HTTP client lead in a process: as many as there are objects, and
    /// `None` where one leads to no TCP connection of which everything holds.
    ///
    /// # Errors
    /// The process cannot be inspected: the limit says why.
    pub fn resolve(
        &mut self,
        process: ProcessKey,
        objects: &[HttpObject],
    ) -> Result<Vec<Option<ResolvedConnection>>, Limit> {
        let registrations = self.epolls.registrations(process, &BTreeSet::new());
        let registrations =
            registrations.map_err(|error| Limit::FdsUnreadable { error: file_error(&error) })?;
        let (program, file) = self.go_program(process.pid).ok_or(Limit::NotGo)?;
        is_known(&program.executable)?;
        let mappings = mappings(process.pid)?;
        let Opened { memory, .. } = Opened::open(process.pid, &program.executable)?;
        let layout = program.layout(file);
        let following = Following {
            memory: &memory,
            mappings: &mappings,
            layout: &layout,
            registrations: registrations.list(),
            socket: &|fd| socket_link::tcp_inode(process.pid, fd),
        };
        let carried = following.follow(objects);
        // All of this may have been another process's by now.
        is_running(process).then_some(carried).ok_or(Limit::ProcessEnded)
    }

    fn go_program(&mut self, pid: u32) -> Option<(&mut GoProgram, File)> {
        match self.program(pid)? {
            (Program::Go(program), file) => Some((program, file)),
            (Program::Other, _) => None,
        }
    }

    /// The program of a process; the file opens even if it has been deleted or replaced.
    fn program(&mut self, pid: u32) -> Option<(&mut Program, File)> {
        let file = File::open(format!("/proc/{pid}/exe")).ok()?;
        let key = FileKey::of(&file.metadata().ok()?);
        if !self.known.contains(&key) {
            self.known.insert(key, Program::read(file.try_clone().ok()?));
        }
        Some((self.known.get_mut(&key)?, file))
    }
}

/// # Errors
/// Programs of this Go version or for this machine are not supported.
fn is_known(executable: &Executable) -> Result<(), Limit> {
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
struct Opened {
    memory: ProcessMemory,
    /// How far the program is from where its file says.
    bias: u64,
}

impl Opened {
    /// # Errors
    /// Its memory cannot be read.
    fn open(pid: u32, executable: &Executable) -> Result<Self, Limit> {
        let entry =
            entry(pid).map_err(|error| Limit::MemoryUnreadable { error: file_error(&error) })?;
        let memory = ProcessMemory::open(pid, entry)
            .map_err(|error| Limit::MemoryUnreadable { error: attach_error(&error) })?;
        Ok(Self { memory, bias: entry.wrapping_sub(executable.entry) })
    }
}

/// # Errors
/// The memory of the process cannot be read.
fn inspect(
    pid: u32,
    program: &mut GoProgram,
    file: File,
    registrations: &[Registration],
    asked: &[Asked],
) -> Result<GoInspection, Limit> {
    let mappings = mappings(pid)?;
    let Opened { memory, bias } = Opened::open(pid, &program.executable)?;
    let is_same = |asked: &Asked| socket_link::is_same(pid, asked);
    let layout = program.layout(file);
    let target = Target { memory: &memory, mappings: &mappings, bias };
    let mut inspection =
        inspection::inspect(target, program, &layout, registrations, asked, &is_same);
    let limits = &mut inspection.limits;
    if program.is_newer_than_known() && (!limits.is_empty() || inspection.found.is_empty()) {
        if limits.is_empty() {
            limits.push(Limit::NothingVerified);
        }
        let minor = program.executable.minor_version;
        limits.push(Limit::GoTooNew { minor, newest_minor: layout::NEWEST });
    }
    Ok(inspection)
}

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

fn mappings(pid: u32) -> Result<Mappings, Limit> {
    Mappings::of(pid).map_err(|error| Limit::MemoryUnreadable { error: file_error(&error) })
}

/// Where the program of a process begins to run: `AT_ENTRY` of its auxiliary vector.
fn entry(pid: u32) -> io::Result<u64> {
    const AT_ENTRY: u64 = 9;
    let vector = fs::read(format!("/proc/{pid}/auxv"))?;
    let mut pairs = vector.chunks_exact(16);
    let entry = pairs.find(|pair| word_at(pair, 0) == Some(AT_ENTRY));
    entry.and_then(|pair| word_at(pair, 8)).ok_or_else(|| io::Error::other("it has no entry point"))
}

#[cfg(test)]
pub mod tests;
