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
use tracer_core::{Comm, ConnectionId, Owner, ProcessKey, decode::DecodeError};

use self::{
    descriptor::Kind,
    holders::{Holder, Holders},
    seen::{Remembered, Seen},
};
use crate::assemble::Assembly;

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
#[derive(Debug, Default)]
pub(crate) struct SockDiag {
    /// What the latest pass saw of each socket.
    remembered: HashMap<ConnectionId, Remembered>,
    /// Inodes of sockets that are known to be no TCP.
    others: HashSet<u64>,
}

impl SockDiag {
    /// The source, if the kernel lists this network namespace's sockets.
    ///
    /// # Errors
    /// It does not.
    pub(crate) fn open() -> anyhow::Result<Self> {
        dump::tcp_sockets(0).context(
            "the kernel does not list sockets either (sock_diag): load the module tcp_diag",
        )?;
        Ok(Self::default())
    }

    /// One pass over all sockets that can be seen. Copies of descriptors are taken of the processes
    /// that are `wanted` only.
    ///
    /// # Errors
    /// The kernel does not list sockets, or `/proc` cannot be read.
    pub(crate) fn look(
        &mut self,
        assembly: &mut Assembly,
        wanted: &dyn Fn(ProcessKey, &Comm) -> bool,
    ) -> anyhow::Result<()> {
        let Holders { readable, unreadable } = holders::all().context("cannot read /proc")?;
        for (key, comm) in unreadable {
            assembly.add_unreadable(key, comm);
        }
        let mut listed = listed(&readable).context("the kernel does not list sockets")?;
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
                            assembly.add_not_judged(holder.key, &holder.comm, kind);
                        }
                        continue;
                    }
                    Answer::Refused => {
                        for (holder, _) in holders {
                            assembly.add_unopened(holder.key, &holder.comm);
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
                    assembly.add_facts(facts);
                }
                // It is on its way out: the kernel has taken back its number.
                Err(DecodeError::NoCookie) => {}
                Err(error) => assembly.add_undecodable(&error),
            }
        }
        self.remembered = remembered;
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
        let kinds = holders.iter().map(|(holder, fd)| descriptor::kind(holder.key.pid, *fd));
        match kinds.flatten().next() {
            Some(Kind::Tcp) => {}
            Some(Kind::NotJudged(kind)) => return Answer::NotJudged(kind),
            Some(Kind::Other) => {
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
