//! Registrations of a process's epoll instances, from `/proc/PID/fdinfo/FD`.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fs::{self, File},
    io::{self, BufRead as _, BufReader, ErrorKind},
    mem::MaybeUninit,
    os::unix::ffi::OsStrExt as _,
    path::Path,
    time::Duration,
};

use rustix::fs::{Dir, Mode, OFlags, readlinkat_raw};
use tracer_core::{Asked, ConnectionId, Limit, ProcessKey, Reader, Timestamp};

use crate::clock;

// Bits of include/uapi/linux/eventpoll.h.
/// `EPOLLIN | EPOLLRDNORM`.
const INPUT: u32 = 0x1 | 0x40;
/// `EPOLLERR | EPOLLHUP`. The kernel adds them to every registration (`do_epoll_ctl`), and removes
/// them when an `EPOLLONESHOT` registration has fired.
const IMPLICIT: u32 = 0x8 | 0x10;
/// `EPOLLEXCLUSIVE | EPOLLWAKEUP`: flags that say how to wake, not for which events.
const WAKE_FLAGS: u32 = 0x1000_0000 | 0x2000_0000;
/// `EPOLLET`.
const EDGE_TRIGGERED: u32 = 0x8000_0000;

// Targets of the links in `/proc/PID/fd`.
const EPOLL: &str = "anon_inode:[eventpoll]";
const IO_URING: &str = "anon_inode:[io_uring]";
/// A length in bytes that is longer than both targets. A target that is truncated to this length is
/// neither of them.
const LINK_BYTES: usize = 32;

/// Maximum number of file descriptors of one process that are searched for epoll instances.
const FDS_MAX: usize = 262_144;
/// Maximum number of registrations kept per process.
const REGISTRATIONS_MAX: usize = 262_144;
/// Maximum number of processes in the cache.
const PROCESSES_MAX: usize = 1_024;
/// Maximum number of file descriptors of all processes in the cache: 8 MiB.
const KNOWN_FDS_MAX: usize = 1 << 21;
/// A search of a process is reused for this many times the CPU time that it took, so searches take
/// at most 1 % of a CPU.
const SEARCH_SHARE: u32 = 100;

/// One registration with an epoll instance, a `tfd:` line of its fdinfo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Registration {
    /// File descriptor of the epoll instance.
    pub epoll_fd: u32,
    /// File descriptor under which the file was registered.
    pub fd: u32,
    /// `EPOLL*` events and flags.
    pub events: u32,
    /// `epoll_event.data`, which only the process can interpret.
    pub data: u64,
    /// Inode of the registered file; `None` on kernels before 4.13, which do not report it.
    pub inode: Option<u64>,
}

impl Registration {
    /// Parses a line of fdinfo; `None` if it is not a registration.
    pub fn parse(epoll_fd: u32, line: &str) -> Option<Self> {
        let mut words = line.split_ascii_whitespace();
        let mut value = |name: &str| words.next().filter(|word| *word == name).and(words.next());
        let fd = value("tfd:")?.parse().ok()?;
        let events = u32::from_str_radix(value("events:")?, 16).ok()?;
        let data = u64::from_str_radix(value("data:")?, 16).ok()?;
        let inode = words.find_map(|word| word.strip_prefix("ino:"));
        let inode = inode.and_then(|digits| u64::from_str_radix(digits, 16).ok());
        Some(Self { epoll_fd, fd, events, data, inode })
    }

    fn refers_to(&self, asked: &Asked) -> bool {
        // The fd may have been reused since, or the file may have several fds.
        self.inode.map_or(self.fd == asked.fd, |inode| inode == asked.inode)
    }

    /// Whether the registration is level-triggered and made for input: a thread that waits on the
    /// epoll instance is woken for as long as there is input.
    pub const fn watches_input(&self) -> bool {
        self.events & EDGE_TRIGGERED == 0 && self.events & INPUT != 0
    }

    /// Whether the registration is only for errors and hang-up. A registration for output or for a
    /// FIN does not qualify: the process will use the connection again.
    pub const fn watches_nothing(&self) -> bool {
        self.events & IMPLICIT == IMPLICIT && self.events & !(IMPLICIT | WAKE_FLAGS) == 0
    }
}

/// The registrations of one process, and how complete they are.
#[derive(Debug, Default)]
pub struct Registrations {
    list: Vec<Registration>,
    /// Whether a limit on file descriptors or registrations was reached.
    truncated: bool,
    /// Whether an epoll instance was closed during the inspection.
    changed: bool,
    /// Whether the process has an io_uring, whose poll requests are not visible.
    has_io_uring: bool,
}

impl Registrations {
    /// All registrations.
    pub fn list(&self) -> &[Registration] {
        &self.list
    }

    /// Whether the kernel identifies at least one registered file only by its fd.
    pub fn are_by_fd(&self) -> bool {
        self.list.iter().any(|registration| registration.inode.is_none())
    }

    /// Why registrations may be missing; `None` if the list is complete.
    pub fn limit(&self) -> Option<Limit> {
        self.truncated.then_some(Limit::EpollsTruncated {
            fds_max: FDS_MAX,
            registrations_max: REGISTRATIONS_MAX,
        })
    }

    /// The reader of each connection that is registered at all.
    pub fn readers(&self, asked: &[Asked]) -> BTreeMap<ConnectionId, Reader> {
        let mut by_inode: HashMap<u64, Vec<&Registration>> = HashMap::new();
        let mut by_fd: HashMap<u32, Vec<&Registration>> = HashMap::new();
        for registration in &self.list {
            match registration.inode {
                Some(inode) => by_inode.entry(inode).or_default().push(registration),
                None => by_fd.entry(registration.fd).or_default().push(registration),
            }
        }
        let of = |asked: &Asked| {
            let of_inode = by_inode.get(&asked.inode).into_iter().flatten();
            let of_fd = by_fd.get(&asked.fd).into_iter().flatten();
            self.reader(of_inode.chain(of_fd).filter(|one| one.refers_to(asked)))
        };
        asked.iter().filter_map(|asked| Some((asked.id, of(asked)?))).collect()
    }

    /// The reader that the registrations of one connection imply; `None` if there are none. A
    /// connection can be registered with several epoll instances.
    fn reader<'a>(
        &self,
        mut of_one: impl Iterator<Item = &'a &'a Registration> + Clone,
    ) -> Option<Reader> {
        of_one.clone().next()?;
        if of_one.clone().any(|registration| registration.watches_input()) {
            return Some(Reader::Epoll);
        }
        let nothing = of_one.all(|registration| registration.watches_nothing());
        let is_complete = !self.truncated && !self.changed && !self.has_io_uring;
        Some(if nothing && is_complete { Reader::None } else { Reader::Unknown })
    }
}

/// A cache of the epoll instances of processes: finding them means reading the link of every file
/// descriptor.
#[derive(Debug, Default)]
pub struct Epolls {
    known: HashMap<ProcessKey, Search>,
}

impl Epolls {
    /// The registrations of a process. The list of its epoll instances may come from a recent
    /// search. The links of the file descriptors in `sockets` are not read, which saves most of the
    /// work: the latest snapshot saw sockets there. An epoll instance that has reused one of these
    /// numbers is missed until the number is no longer in `sockets`.
    ///
    /// # Errors
    /// `/proc/PID/fd` or an fdinfo file cannot be read, or the process has exited.
    pub fn registrations(
        &mut self,
        process: ProcessKey,
        sockets: &BTreeSet<u32>,
    ) -> io::Result<Registrations> {
        if let Some(search) = self.known.get_mut(&process)
            && search.is_fresh(clock::now())
        {
            search.read_skipped(process.pid, sockets);
            if let Ok(registrations) = search.registrations(process.pid)
                && !registrations.changed
            {
                return Ok(registrations);
            }
        }
        self.search(process, sockets)
    }

    /// The registrations of every epoll instance that exists now, without the cache.
    ///
    /// # Errors
    /// `/proc/PID/fd` or an fdinfo file cannot be read, or the process has exited.
    pub fn registrations_uncached(&mut self, process: ProcessKey) -> io::Result<Registrations> {
        self.search(process, &BTreeSet::new())
    }

    fn search(
        &mut self,
        process: ProcessKey,
        sockets: &BTreeSet<u32>,
    ) -> io::Result<Registrations> {
        self.known.remove(&process);
        let search = Search::run(process.pid, sockets)?;
        let registrations = search.registrations(process.pid)?;
        let fds = self.known.values().map(Search::fds).sum::<usize>() + search.fds();
        if self.known.len() >= PROCESSES_MAX || fds > KNOWN_FDS_MAX {
            self.known.clear();
        }
        self.known.insert(process, search);
        Ok(registrations)
    }
}

/// The result of searching the file descriptors of a process for epoll instances.
#[derive(Debug, Default)]
struct Search {
    epolls: Vec<u32>,
    /// File descriptors that were assumed to be sockets, so their links were not read.
    skipped: Vec<u32>,
    truncated: bool,
    has_io_uring: bool,
    ended_at: Timestamp,
    /// CPU time.
    took: Duration,
}

impl Search {
    /// Reads the links of all file descriptors except those in `sockets`.
    fn run(pid: u32, sockets: &BTreeSet<u32>) -> io::Result<Self> {
        let before = clock::cpu_time();
        let (mut search, mut seen) = (Self::default(), 0);
        // Links are read relative to the directory, which takes half as long as reading them by
        // path.
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = rustix::fs::open(format!("/proc/{pid}/fd"), flags, Mode::empty())?;
        for entry in Dir::read_from(&directory)? {
            let entry = entry?;
            let name = entry.file_name();
            // Not `.` and `..`.
            let Some(fd) = name.to_str().ok().and_then(|name| name.parse().ok()) else { continue };
            if seen == FDS_MAX {
                search.truncated = true;
                break;
            }
            seen += 1;
            if sockets.contains(&fd) {
                search.skipped.push(fd);
                continue;
            }
            let mut target = [MaybeUninit::uninit(); LINK_BYTES];
            // The fd may have been closed since it was listed.
            if let Ok((target, _)) = readlinkat_raw(&directory, name, &mut target) {
                search.take(fd, target);
            }
        }
        search.took = clock::cpu_time().saturating_sub(before);
        search.ended_at = clock::now();
        Ok(search)
    }

    /// Number of file descriptors that it keeps.
    const fn fds(&self) -> usize {
        self.epolls.len() + self.skipped.len()
    }

    fn read(&mut self, pid: u32, fd: u32) {
        // The fd may have been closed since it was listed.
        let Ok(target) = fs::read_link(format!("/proc/{pid}/fd/{fd}")) else { return };
        self.take(fd, target.as_os_str().as_bytes());
    }

    fn take(&mut self, fd: u32, target: &[u8]) {
        if target == EPOLL.as_bytes() {
            self.epolls.push(fd);
        }
        self.has_io_uring |= target == IO_URING.as_bytes();
    }

    /// Reads the links that were skipped and that `sockets` no longer covers, so that a cached
    /// search misses no more than a new search would.
    fn read_skipped(&mut self, pid: u32, sockets: &BTreeSet<u32>) {
        let (still_sockets, others): (Vec<u32>, Vec<u32>) =
            self.skipped.drain(..).partition(|fd| sockets.contains(fd));
        self.skipped = still_sockets;
        for fd in others {
            self.read(pid, fd);
        }
    }

    fn is_fresh(&self, now: Timestamp) -> bool {
        let lasts = self.took.saturating_mul(SEARCH_SHARE);
        u128::from(now.ms_since(self.ended_at)) < lasts.as_millis()
    }

    fn registrations(&self, pid: u32) -> io::Result<Registrations> {
        let (mut list, mut changed) = (Vec::new(), false);
        for epoll in &self.epolls {
            // The kernel lists all registrations of an instance whenever one of its fds is read.
            if list.len() >= REGISTRATIONS_MAX {
                break;
            }
            match read(pid, *epoll, &mut list) {
                Err(error) if error.kind() == ErrorKind::NotFound => changed = true,
                result => result?,
            }
            // The fd may have been reused for another file.
            let target = fs::read_link(format!("/proc/{pid}/fd/{epoll}"));
            changed |= target.map_or(true, |target| target != Path::new(EPOLL));
        }
        let truncated = self.truncated || list.len() >= REGISTRATIONS_MAX;
        Ok(Registrations { list, truncated, changed, has_io_uring: self.has_io_uring })
    }
}

/// Appends the registrations of one epoll instance, up to the limit for the whole process.
fn read(pid: u32, epoll_fd: u32, list: &mut Vec<Registration>) -> io::Result<()> {
    let file = BufReader::new(File::open(format!("/proc/{pid}/fdinfo/{epoll_fd}"))?);
    for line in file.lines() {
        if list.len() >= REGISTRATIONS_MAX {
            break;
        }
        list.extend(Registration::parse(epoll_fd, &line?));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
