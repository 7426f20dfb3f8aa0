//! Looks at sockets without kernel programs: by `sock_diag(7)`, `/proc` and `pidfd_getfd(2)`.
//!
//! The kernel lists the TCP sockets of one network namespace, with the same counters and ages that
//! its memory has, and `/proc/PID/fd` says who holds which. A dead socket is in no list: of those,
//! and of sockets in network namespaces that may not be entered, a copy of the descriptor is taken
//! for a moment and asked. That changes nothing about the socket, but that it is not destroyed
//! before the copy is closed.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    io,
};

use anyhow::Context as _;
use caps::Capability;
use tracer_core::{Comm, ConnectionId, Owner, ProcessKey, decode::DecodeError};

use self::{
    holders::{Holder, Holders},
    seen::{Remembered, Seen},
};
use super::kernel::privileges;
use super::snapshot_builder::SnapshotBuilder;
use tracer_inspect::process::socket_link::{self, Protocol};

mod descriptor;
mod dump;
mod holders;
mod namespace;
mod seen;
mod tcp_info;

/// Most descriptors that are copied to be asked in one pass; each takes some microseconds.
const COPIES_MAX: usize = 16_384;

/// What a run without kernel programs does not have, and why it has none: one sentence each.
pub(crate) fn costs(why: &str) -> [String; 3] {
    [
        format!("looked by sock_diag and /proc, without kernel programs: {why}"),
        "without events ages are lower bounds, connections that open and close between two looks \
         are not seen, nor who opened one and where in the code, and Go's responses are not \
         followed (no body-not-closed)"
            .to_owned(),
        "when a connection died is known by watching only: ghosts take a run that is longer than \
         --idle, and those that were there before it are no more than possible"
            .to_owned(),
    ]
}

/// The source, with what it has to know from one pass to the next.
#[derive(Debug)]
pub(crate) struct SockDiag {
    /// The kernel lists sockets. One without the module `tcp_diag` does not, and all are asked one
    /// by one.
    lists: bool,
    /// What the latest pass saw of each socket.
    remembered: HashMap<ConnectionId, Remembered>,
    /// Inodes of sockets that are known to be no TCP.
    others: HashSet<u64>,
}

impl SockDiag {
    /// The source, if the kernel lists sockets, or lets descriptors be copied.
    ///
    /// # Errors
    /// It does neither.
    pub(crate) fn open() -> anyhow::Result<Self> {
        let lists = match dump::tcp_sockets(0) {
            Ok(_) => true,
            Err(error) => {
                log::warn!("the kernel does not list sockets: {error}");
                descriptor::check().with_context(|| {
                    format!(
                        "nor does it list sockets ({error}; load the module tcp_diag), nor may \
                         descriptors be copied"
                    )
                })?;
                false
            }
        };
        Ok(Self { lists, remembered: HashMap::new(), others: HashSet::new() })
    }

    /// One pass over all sockets that can be seen. Copies of descriptors are taken of the processes
    /// that are `wanted` only.
    ///
    /// # Errors
    /// The kernel does not list sockets, or `/proc` cannot be read.
    pub(crate) fn look(
        &mut self,
        builder: &mut SnapshotBuilder,
        wanted: &dyn Fn(ProcessKey, &Comm) -> bool,
    ) -> anyhow::Result<()> {
        let Holders { readable, unreadable } = holders::all().context("cannot read /proc")?;
        // Processes that are counted as unreadable hold some of them.
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
                // It is on its way out: the kernel has taken back its number.
                Err(DecodeError::NoCookie) => {}
                Err(error) => builder.add_undecodable(&error),
            }
        }
        self.remembered = remembered;
        // Of processes that are hidden (`hidepid`) nothing but their sockets is seen. With the
        // right to look at every process only the kernel's own have no holder.
        if !is_known && !privileges::has(Capability::CAP_SYS_PTRACE) {
            let is_held = |seen: &&Seen| seen.inode != 0;
            builder.add_without_holder(listed.values().filter(is_held).count() as u64);
        }
        Ok(())
    }

    /// What a socket is that the kernel does not list.
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
            // All who held it have let go of it meanwhile.
            None => return Answer::Nothing,
        }
        let mut answer = Answer::Nothing;
        for (holder, fd) in holders.iter().filter(|(it, _)| wanted(it.key, &it.comm)) {
            if *copies >= COPIES_MAX {
                return Answer::Refused;
            }
            *copies += 1;
            match descriptor::look(holder.key.pid, *fd, inode, holder.netns) {
                Ok(Some(seen)) => return Answer::Tcp(Box::new(seen)),
                Ok(None) => {}
                Err(error) => {
                    log::debug!("descriptor {fd} of process {}: {error}", holder.key.pid);
                    answer = Answer::Refused;
                }
            }
        }
        answer
    }
}

enum Answer {
    Tcp(Box<Seen>),
    /// It passes for TCP by family and type only; named by its protocol.
    NotJudged(&'static str),
    /// It is TCP, and more could not be found out.
    Refused,
    /// It is none of these, or gone.
    Nothing,
}

fn owner(holder: &Holder, fd: u32) -> Owner {
    Owner { key: holder.key, fd, comm: holder.comm.clone(), in_scope: true }
}

/// What the kernel lists in this network namespace and in those of the holders that may be entered,
/// by inode.
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
    use std::net::{TcpListener, TcpStream};

    use tracer_core::{SocketFacts, Timestamp};

    use super::*;
    use crate::collect::filter::Filter;

    /// Ends and unread bytes of the sockets of this process, listeners aside.
    fn seen(lists: bool) -> BTreeMap<ConnectionId, (String, u64)> {
        let mut source = SockDiag { lists, remembered: HashMap::new(), others: HashSet::new() };
        let own = std::process::id();
        let mut builder = SnapshotBuilder::new(Timestamp::default());
        source.look(&mut builder, &|key, _| key.pid == own).unwrap();
        let admits = |key: ProcessKey| key.pid == own;
        let nobody = std::collections::BTreeSet::new();
        let snapshot = builder.finish(Timestamp::default(), 0, &Filter::default(), admits, &nobody);
        assert_eq!((snapshot.unopened, snapshot.unreadable), (0, 0));
        let tell = |it: Box<SocketFacts>| {
            (it.id, (format!("{} {}", it.local, it.remote), it.unread_bytes))
        };
        snapshot.sockets.into_iter().map(tell).collect()
    }

    #[test]
    fn without_a_list_every_socket_is_asked() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (server, _) = listener.accept().unwrap();
        io::Write::write_all(&mut &client, &[0; 100]).unwrap();
        let ends = |socket: &TcpStream| {
            format!("{} {}", socket.local_addr().unwrap(), socket.peer_addr().unwrap())
        };

        for lists in [true, false] {
            let seen: Vec<_> = seen(lists).into_values().collect();
            assert!(seen.contains(&(ends(&client), 0)), "{lists}: {seen:?}");
            assert!(seen.contains(&(ends(&server), 100)), "{lists}: {seen:?}");
        }
    }
}
