//! Snapshots without BPF programs, through `sock_diag(7)`, `/proc` and `pidfd_getfd(2)`.
//!
//! The kernel lists the TCP sockets of one network namespace with their `tcp_info`, and
//! `/proc/PID/fd` shows which process holds which. The list does not include sockets in state
//! CLOSE. For those, and for sockets in network namespaces that cannot be entered, the file
//! descriptor is duplicated, queried and closed again. This does not change the socket, except that
//! it cannot be destroyed before the duplicate is closed.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    io,
};

use anyhow::Context as _;
use caps::Capability;
use tracer_core::{
    Comm, ConnectionId, FallbackReason, Note, Owner, ProcessKey, decode::DecodeError,
};

use self::{
    holders::{Holder, Holders},
    seen::{Remembered, Seen},
};
use super::kernel::privileges;
use super::snapshot_builder::SnapshotBuilder;
use tracer_inspect::{
    error_with_fix::ErrorWithFix,
    process::socket_link::{self, Protocol},
};

mod dump;
mod file_descriptor;
mod holders;
mod namespace;
mod seen;
mod tcp_info;

/// Maximum number of file descriptors duplicated per snapshot; each takes a few microseconds.
const COPIES_MAX: usize = 16_384;

/// Notes on why a run has no BPF programs, and what it misses without them.
pub(crate) const fn limits(reason: FallbackReason) -> [Note; 3] {
    [Note::WithoutKernelPrograms { reason }, Note::WithoutEvents, Note::DeathTimesByWatching]
}

/// The source of snapshots, with its state from one to the next.
#[derive(Debug)]
pub(crate) struct SockDiag {
    /// Whether the kernel lists sockets. Without the module `tcp_diag` it does not, and each file
    /// descriptor is queried.
    lists: bool,
    /// The facts that are kept about each socket of the latest snapshot.
    remembered: HashMap<ConnectionId, Remembered>,
    /// Inode numbers of sockets that are known not to be TCP sockets.
    others: HashSet<u64>,
}

impl SockDiag {
    /// Opens the source, if the kernel lists sockets or allows file descriptors to be duplicated.
    ///
    /// # Errors
    /// The kernel does neither: an [`ErrorWithFix`].
    pub(crate) fn open() -> anyhow::Result<Self> {
        let lists = match dump::tcp_sockets(0) {
            Ok(_) => true,
            Err(error) => {
                log::warn!("the kernel does not list sockets: {error}");
                file_descriptor::check().map_err(|not_copied| {
                    let cause = format!(
                        "sockets cannot be listed ({error}), and file descriptors cannot be copied \
                         with pidfd_getfd ({not_copied})"
                    );
                    ErrorWithFix::new(cause, "load the kernel module tcp_diag")
                })?;
                false
            }
        };
        Ok(Self { lists, remembered: HashMap::new(), others: HashSet::new() })
    }

    /// Takes a snapshot of all visible sockets. File descriptors are duplicated only from processes
    /// that are `wanted`.
    ///
    /// # Errors
    /// The kernel does not list sockets, or `/proc` cannot be read.
    pub(crate) fn read(
        &mut self,
        builder: &mut SnapshotBuilder,
        wanted: &dyn Fn(ProcessKey, &Comm) -> bool,
    ) -> anyhow::Result<()> {
        let Holders { readable, unreadable } = holders::all().context("cannot read /proc")?;
        // The sockets of these processes would otherwise be counted as having no holder.
        let is_known = !unreadable.is_empty();
        for (key, comm) in unreadable {
            builder.add_unreadable(key, comm);
        }
        let mut listed = if self.lists {
            listed(&readable).context("the kernel does not list sockets")?
        } else {
            HashMap::new()
        };
        let mut sockets: BTreeMap<u64, Vec<(&Holder, u32)>> = BTreeMap::new();
        for holder in &readable {
            for (fd, inode) in &holder.sockets {
                sockets.entry(*inode).or_default().push((holder, *fd));
            }
        }
        self.others.retain(|inode| sockets.contains_key(inode));
        let mut remembered = HashMap::new();
        let mut copies = 0;
        for (inode, holders) in sockets {
            let seen = match listed.remove(&inode) {
                Some(seen) => seen,
                None => match self.ask(inode, &holders, wanted, &mut copies) {
                    Answer::Tcp(seen) => *seen,
                    Answer::NotJudged(kind) => {
                        for (holder, _) in holders {
                            builder.add_not_judged(holder.key, &holder.comm, kind);
                        }
                        continue;
                    }
                    Answer::Refused => {
                        for (holder, _) in holders {
                            builder.add_unopened(holder.key, &holder.comm);
                        }
                        continue;
                    }
                    Answer::Nothing => continue,
                },
            };
            let owners = holders.into_iter().map(|(holder, fd)| owner(holder, fd)).collect();
            let before = self.remembered.get(&seen.id());
            match seen.facts(owners, before) {
                Ok(facts) => {
                    remembered.insert(facts.id, Remembered::of(&facts));
                    builder.add_facts(facts);
                }
                // The socket is being destroyed and no longer has a cookie.
                Err(DecodeError::NoCookie) => {}
                Err(error) => builder.add_undecodable(&error),
            }
        }
        self.remembered = remembered;
        // A hidden process (`hidepid`) shows only through its sockets, which have no holder. With
        // CAP_SYS_PTRACE every process is visible, and only the kernel's own sockets have none.
        if !is_known && !privileges::has(Capability::CAP_SYS_PTRACE) {
            let is_held = |seen: &&Seen| seen.inode != 0;
            builder.add_without_holder(listed.values().filter(is_held).count() as u64);
        }
        Ok(())
    }

    /// Queries a socket that the kernel does not list.
    fn ask(
        &mut self,
        inode: u64,
        holders: &[(&Holder, u32)],
        wanted: &dyn Fn(ProcessKey, &Comm) -> bool,
        copies: &mut usize,
    ) -> Answer {
        if self.others.contains(&inode) {
            return Answer::Nothing;
        }
        let kinds = holders.iter().map(|(holder, fd)| socket_link::protocol(holder.key.pid, *fd));
        match kinds.flatten().next() {
            Some(Protocol::Tcp) => {}
            Some(Protocol::NotJudged(kind)) => return Answer::NotJudged(kind),
            Some(Protocol::Other) => {
                self.others.insert(inode);
                return Answer::Nothing;
            }
            // All holders have closed it in the meantime.
            None => return Answer::Nothing,
        }
        let mut answer = Answer::Nothing;
        for (holder, fd) in holders.iter().filter(|(it, _)| wanted(it.key, &it.comm)) {
            if *copies >= COPIES_MAX {
                return Answer::Refused;
            }
            *copies += 1;
            match file_descriptor::query(holder.key.pid, *fd, inode, holder.netns) {
                Ok(Some(seen)) => return Answer::Tcp(Box::new(seen)),
                Ok(None) => {}
                Err(error) => {
                    log::debug!("fd {fd} of process {}: {error}", holder.key.pid);
                    answer = Answer::Refused;
                }
            }
        }
        answer
    }
}

enum Answer {
    Tcp(Box<Seen>),
    /// The socket has the family and type of a TCP socket but another protocol, which is named.
    NotJudged(&'static str),
    /// The socket is a TCP socket that could not be queried.
    Refused,
    /// The file descriptor refers to another socket, or is closed.
    Nothing,
}

fn owner(holder: &Holder, fd: u32) -> Owner {
    Owner { key: holder.key, fd, comm: holder.comm.clone(), in_scope: true }
}

/// The sockets that the kernel lists in this network namespace and in those of the holders, as far
/// as these can be entered, by inode number.
fn listed(holders: &[Holder]) -> io::Result<HashMap<u64, Seen>> {
    let own = namespace::own()?;
    let mut all = dump::tcp_sockets(own)?;
    let mut entered = HashSet::from([own]);
    for holder in holders {
        if !entered.insert(holder.netns) {
            continue;
        }
        let sockets =
            namespace::within(holder.key.pid, holder.netns, || dump::tcp_sockets(holder.netns));
        match sockets.and_then(|sockets| sockets) {
            Ok(sockets) => all.extend(sockets),
            Err(error) => log::debug!("network namespace {}: {error}", holder.netns),
        }
    }
    Ok(all.into_iter().map(|seen| (seen.inode, seen)).collect())
}

#[cfg(test)]
mod tests {
    use std::{
        net::{TcpListener, TcpStream},
        sync::Arc,
    };

    use tracer_core::{SocketFacts, Timestamp};

    use super::*;
    use crate::collect::filter::Filter;

    /// Addresses and unread bytes of the connections of this process.
    fn seen(lists: bool) -> BTreeMap<ConnectionId, (String, u64)> {
        let mut source = SockDiag { lists, remembered: HashMap::new(), others: HashSet::new() };
        let own = std::process::id();
        let mut builder = SnapshotBuilder::new(Timestamp::default());
        source.read(&mut builder, &|key, _| key.pid == own).unwrap();
        let admits = |key: ProcessKey| key.pid == own;
        let none = std::collections::BTreeSet::new();
        let snapshot = builder.finish(Timestamp::default(), 0, &Filter::default(), admits, &none);
        assert_eq!((snapshot.unopened, snapshot.unreadable), (0, 0));
        let entry = |it: Arc<SocketFacts>| {
            (it.id, (format!("{} {}", it.local, it.remote), it.unread_bytes))
        };
        snapshot.sockets.into_iter().map(entry).collect()
    }

    #[test]
    fn without_a_list_every_socket_is_queried() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (server, _) = listener.accept().unwrap();
        io::Write::write_all(&mut &client, &[0; 100]).unwrap();
        let endpoints = |socket: &TcpStream| {
            format!("{} {}", socket.local_addr().unwrap(), socket.peer_addr().unwrap())
        };

        for lists in [true, false] {
            let seen: Vec<_> = seen(lists).into_values().collect();
            assert!(seen.contains(&(endpoints(&client), 0)), "{lists}: {seen:?}");
            assert!(seen.contains(&(endpoints(&server), 100)), "{lists}: {seen:?}");
        }
    }
}
