//! What a process has registered with its epolls, as `/proc/PID/fdinfo/FD` lists it.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fs::{self, File},
    io::{self, BufRead as _, BufReader, ErrorKind},
    path::Path,
    time::Duration,
};

use tracer_core::{Asked, ConnectionId, Limit, ProcessKey, Reader, Timestamp};

use crate::clock;

// Of include/uapi/linux/eventpoll.h.
const INPUT: u32 = 0x1 | 0x40;
/// The kernel adds these two to every registration. One that `EPOLLONESHOT` has switched off is
/// without them.
const ALWAYS: u32 = 0x8 | 0x10;
/// `EPOLLEXCLUSIVE` and `EPOLLWAKEUP` say how to wake, not what for.
const MANNERS: u32 = 0x1000_0000 | 0x2000_0000;
const EDGE_TRIGGERED: u32 = 0x8000_0000;

// What the links of a descriptor table say of them.
const EPOLL: &str = "anon_inode:[eventpoll]";
const RING: &str = "anon_inode:[io_uring]";

/// Most descriptors of a process that are looked at for epolls.
const FDS_MAX: usize = 262_144;
/// Most registrations that are kept of one process.
const REGISTRATIONS_MAX: usize = 262_144;
/// Most processes whose epolls are remembered.
const PROCESSES_MAX: usize = 1_024;
/// Looking for epolls anew takes one part in this many of a processor at the most.
const SEARCH_SHARE: u32 = 100;

/// One entry of an epoll.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Registration {
    /// The epoll's descriptor.
    pub epoll_fd: u32,
    /// The number of the descriptor when it was registered.
    pub fd: u32,
    /// What is waited for, and how: `EPOLL*` of the kernel's interface.
    pub events: u32,
    /// What the process gets back, which means something to it only.
    pub data: u64,
    /// Inode number of the registered file; kernels before 4.13 do not tell.
    pub inode: Option<u64>,
}

impl Registration {
    /// One line of the file, if it is a registration.
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

    fn is_of(&self, asked: &Asked) -> bool {
        // The number may have been given to another file since, or the file may have several.
        self.inode.map_or(self.fd == asked.fd, |inode| inode == asked.inode)
    }

    /// Input is told for as long as there is some, so whoever waits on the epoll hears of it.
    pub const fn watches_input(&self) -> bool {
        self.events & EDGE_TRIGGERED == 0 && self.events & INPUT != 0
    }

    /// The process has it registered, and for nothing that a peer sends or lets it do. Output or
    /// the end of the stream alone is not nothing: who waits for that comes back.
    pub const fn watches_nothing(&self) -> bool {
        self.events & ALWAYS == ALWAYS && self.events & !(ALWAYS | MANNERS) == 0
    }
}

/// The registrations of one process, and how complete they are.
#[derive(Debug, Default)]
pub struct Registrations {
    list: Vec<Registration>,
    /// There were more of something than is looked at.
    cut: bool,
    /// Some epoll was closed meanwhile.
    changed: bool,
    /// The process also has an `io_uring`, of which it cannot be seen what it waits for.
    has_ring: bool,
}

impl Registrations {
    /// All of them.
    pub fn list(&self) -> &[Registration] {
        &self.list
    }

    /// The kernel names what is registered by its number only, if in part.
    pub fn are_by_number(&self) -> bool {
        self.list.iter().any(|registration| registration.inode.is_none())
    }

    /// Why registrations may be missing; `None` if none are.
    pub fn limit(&self) -> Option<Limit> {
        self.cut.then_some(Limit::EpollsTruncated {
            fds_max: FDS_MAX,
            registrations_max: REGISTRATIONS_MAX,
        })
    }

    /// Who would notice, of the connections that are registered at all.
    pub fn readers(&self, asked: &[Asked]) -> BTreeMap<ConnectionId, Reader> {
        let mut by_inode: HashMap<u64, Vec<&Registration>> = HashMap::new();
        let mut by_number: HashMap<u32, Vec<&Registration>> = HashMap::new();
        for registration in &self.list {
            match registration.inode {
                Some(inode) => by_inode.entry(inode).or_default().push(registration),
                None => by_number.entry(registration.fd).or_default().push(registration),
            }
        }
        let of = |asked: &Asked| {
            let of_inode = by_inode.get(&asked.inode).into_iter().flatten();
            let of_number = by_number.get(&asked.fd).into_iter().flatten();
            self.reader(of_inode.chain(of_number).filter(|one| one.is_of(asked)))
        };
        asked.iter().filter_map(|asked| Some((asked.id, of(asked)?))).collect()
    }

    /// What the registrations of one connection amount to: it can be in several epolls.
    /// `None` if it is in none that was seen.
    fn reader<'a>(
        &self,
        mut of_one: impl Iterator<Item = &'a &'a Registration> + Clone,
    ) -> Option<Reader> {
        of_one.clone().next()?;
        if of_one.clone().any(|registration| registration.watches_input()) {
            return Some(Reader::Epoll);
        }
        let nothing = of_one.all(|registration| registration.watches_nothing());
        let is_all = !self.cut && !self.changed && !self.has_ring;
        Some(if nothing && is_all { Reader::None } else { Reader::Unknown })
    }
}

/// The epolls of processes, remembered: to find them takes a look at every descriptor.
#[derive(Debug, Default)]
pub struct Epolls {
    known: HashMap<ProcessKey, Search>,
}

impl Epolls {
    /// The registrations, with the epolls as they were found a short while ago. The links of
    /// `sockets` are not read, which is most of the work: these numbers have just been seen to be
    /// sockets, in the table that `/proc/PID/fd` shows. One that has become an epoll since is
    /// missed, until it is no longer among them.
    ///
    /// # Errors
    /// The process's descriptors may not be read, or it is gone.
    pub fn look(
        &mut self,
        process: ProcessKey,
        sockets: &BTreeSet<u32>,
    ) -> io::Result<Registrations> {
        if let Some(search) = self.known.get_mut(&process)
            && search.is_fresh(clock::now())
        {
            search.catch_up(process.pid, sockets);
            if let Ok(registrations) = search.registrations(process.pid)
                && !registrations.changed
            {
                return Ok(registrations);
            }
        }
        self.search(process, sockets)
    }

    /// The registrations of all epolls that there are now.
    ///
    /// # Errors
    /// The process's descriptors may not be read, or it is gone.
    pub fn look_at_all(&mut self, process: ProcessKey) -> io::Result<Registrations> {
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
        if self.known.len() >= PROCESSES_MAX {
            self.known.clear();
        }
        self.known.insert(process, search);
        Ok(registrations)
    }
}

/// What a look at all descriptors found.
#[derive(Debug, Default)]
struct Search {
    epolls: Vec<u32>,
    /// Numbers that were taken for sockets unread.
    unread: Vec<u32>,
    cut: bool,
    has_ring: bool,
    ended_at: Timestamp,
    took: Duration,
}

impl Search {
    /// Looks at all descriptors, except for `sockets`.
    fn run(pid: u32, sockets: &BTreeSet<u32>) -> io::Result<Self> {
        let before = clock::processor_time();
        let (mut search, mut seen) = (Self::default(), 0);
        let mut entries = fs::read_dir(format!("/proc/{pid}/fd"))?;
        for entry in entries.by_ref().take(FDS_MAX) {
            seen += 1;
            let name = entry?.file_name();
            let Some(fd) = name.to_str().and_then(|name| name.parse().ok()) else { continue };
            if sockets.contains(&fd) {
                search.unread.push(fd);
            } else {
                search.read(pid, fd);
            }
        }
        search.cut = seen == FDS_MAX && entries.next().is_some();
        search.took = clock::processor_time().saturating_sub(before);
        search.ended_at = clock::now();
        Ok(search)
    }

    fn read(&mut self, pid: u32, fd: u32) {
        // One that was closed meanwhile is none.
        let Ok(target) = fs::read_link(format!("/proc/{pid}/fd/{fd}")) else { return };
        if target == Path::new(EPOLL) {
            self.epolls.push(fd);
        }
        self.has_ring |= target == Path::new(RING);
    }

    /// Reads what was left unread for being sockets, unless these still are. So what is remembered
    /// lacks no more than what is looked for anew would.
    fn catch_up(&mut self, pid: u32, sockets: &BTreeSet<u32>) {
        let (unread, others) = self.unread.drain(..).partition(|fd| sockets.contains(fd));
        self.unread = unread;
        let others: Vec<u32> = others;
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
            match read(pid, *epoll, &mut list) {
                Err(error) if error.kind() == ErrorKind::NotFound => changed = true,
                result => result?,
            }
            // The number may be that of another file by now.
            let target = fs::read_link(format!("/proc/{pid}/fd/{epoll}"));
            changed |= target.map_or(true, |target| target != Path::new(EPOLL));
        }
        let cut = self.cut || list.len() >= REGISTRATIONS_MAX;
        Ok(Registrations { list, cut, changed, has_ring: self.has_ring })
    }
}

/// Adds what one epoll has registered, up to the limit for all of them together.
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
