//! Finds the readers of connections: goroutines, threads and epoll instances that data or a FIN
//! would wake. The process is neither stopped nor modified.
//!
//! Only certain answers are given. If no thread is blocked in a call on a connection now, that
//! proves nothing, because a busy thread may return to it. Therefore [`Reader::None`] requires
//! evidence from the epoll instances or from the Go runtime.

use std::collections::{BTreeMap, BTreeSet};

use tracer_core::{
    Asked, ConnectionId, Goroutines, Input, Limit, ProcessKey, Reader, ReaderFacts, Readers,
    Timestamp,
};

use crate::{
    budget::Budget,
    clock,
    go::GoPrograms,
    process::{
        access::file_error,
        epoll::{Epolls, Registrations},
        fd_tables,
        identity::is_running,
        socket_link::is_same,
        threads,
    },
};

/// For questions about up to this many connections, the links of all file descriptors are read,
/// which takes a few milliseconds and finds epoll instances that have reused the fd of a socket
/// since the snapshot.
const LINKS_FEW: usize = 500;

/// Inspects processes for readers, and caches where their epoll instances are.
#[derive(Debug, Default)]
pub(crate) struct ReaderInspections {
    epolls: Epolls,
}

impl ReaderInspections {
    /// Answers [`Question::Readers`](tracer_core::Question::Readers); `None` if the process has
    /// exited or its pid was reused.
    pub(crate) fn answer(
        &mut self,
        programs: &mut GoPrograms,
        process: ProcessKey,
        asked: &[Asked],
        budget: &Budget,
    ) -> Option<Input> {
        let at = clock::now();
        if !is_running(process) {
            return None;
        }
        let mut found = Found::default();
        // If there are several fd tables, an fd found elsewhere may not be the one in
        // `/proc/PID/fd`.
        let mut by_fd = !fd_tables::is_shared_by_all_threads(process.pid);
        let is_cheap = asked.len() <= LINKS_FEW;
        let sockets = if by_fd || is_cheap { BTreeSet::new() } else { fds(asked) };
        match self.epolls.registrations(process, &sockets) {
            Ok(registrations) => {
                found.limits.extend(registrations.limit());
                by_fd |= registrations.are_by_fd();
                for (id, reader) in self.epoll_readers(process, asked, &registrations) {
                    found.add(ReaderFacts { id, reader, is_registered: true, http: None });
                }
                let go = programs.inspect(process, registrations.list(), asked, budget);
                if let Some(go) = go {
                    go.found.into_iter().for_each(|facts| found.add(facts));
                    found.goroutines = go.goroutines;
                    found.limits.extend(go.limits);
                }
                // The remaining ones are reported as not registered.
                for asked in asked {
                    found.add(unknown(asked.id));
                }
            }
            Err(error) => {
                found.limits.push(Limit::FdsUnreadable { error: file_error(&error) });
            }
        }
        let unread = asked.iter().filter(|asked| !found.has_reader(asked.id));
        let threads = threads::inspect(process.pid, unread, budget);
        found.limits.extend(threads.limit);
        for id in threads.reading {
            found.add(ReaderFacts { reader: Reader::Thread, ..unknown(id) });
        }
        // The inspections of threads and of Go have already checked the inode of each fd, and epoll
        // registrations may include the inode.
        if by_fd {
            found.retain(asked, |asked| is_same(process.pid, asked));
        }
        found.limits.extend(budget.not_local());
        if let Some(limit) = budget.limit() {
            // Other limits may only be a consequence.
            found.limits = vec![limit];
        }
        is_running(process).then(|| Input::Readers(found.finish(process, at)))
    }

    /// The readers by epoll registrations. [`Reader::None`] must be confirmed by a second reading
    /// that covers every epoll instance, and the process must still hold the socket: a file that it
    /// has closed stays registered as long as another process holds it.
    fn epoll_readers(
        &mut self,
        process: ProcessKey,
        asked: &[Asked],
        registrations: &Registrations,
    ) -> BTreeMap<ConnectionId, Reader> {
        let mut readers = registrations.readers(asked);
        if readers.values().any(|reader| *reader == Reader::None) {
            let again = self.epolls.registrations_uncached(process);
            let again = again.map(|again| again.readers(asked)).unwrap_or_default();
            for asked in asked {
                let now = again.get(&asked.id);
                let is_confirmed = |reader: &Reader| {
                    *reader != Reader::None
                        || now == Some(&Reader::None) && is_same(process.pid, asked)
                };
                if readers.get(&asked.id).map_or(now.is_some(), |reader| !is_confirmed(reader)) {
                    readers.insert(asked.id, Reader::Unknown);
                }
            }
        }
        readers
    }
}

/// The results of all inspections so far.
#[derive(Debug, Default)]
struct Found {
    facts: BTreeMap<ConnectionId, ReaderFacts>,
    goroutines: Option<Goroutines>,
    /// Why results may be missing.
    limits: Vec<Limit>,
}

impl Found {
    /// Adds a result to the readers. For the same connection, a reader takes precedence over none,
    /// and none over unknown.
    fn add(&mut self, facts: ReaderFacts) {
        let Some(known) = self.facts.get_mut(&facts.id) else {
            self.facts.insert(facts.id, facts);
            return;
        };
        if precedence(facts.reader) > precedence(known.reader) {
            known.reader = facts.reader;
        }
        known.is_registered |= facts.is_registered;
        known.http = known.http.take().or(facts.http);
    }

    fn has_reader(&self, id: ConnectionId) -> bool {
        self.facts.get(&id).is_some_and(|facts| facts.reader.is_waiting())
    }

    /// Removes the facts about fds that have been reused: they are not about the connections of the
    /// question.
    fn retain(&mut self, asked: &[Asked], is_same: impl Fn(&Asked) -> bool) {
        for asked in asked {
            if self.facts.contains_key(&asked.id) && !is_same(asked) {
                self.facts.remove(&asked.id);
            }
        }
    }

    fn finish(self, process: ProcessKey, at: Timestamp) -> Readers {
        let found = self.facts.into_values().collect();
        Readers { process, at, found, goroutines: self.goroutines, limits: self.limits }
    }
}

fn fds(asked: &[Asked]) -> BTreeSet<u32> {
    asked.iter().map(|asked| asked.fd).collect()
}

const fn unknown(id: ConnectionId) -> ReaderFacts {
    ReaderFacts { id, reader: Reader::Unknown, is_registered: false, http: None }
}

const fn precedence(reader: Reader) -> u8 {
    match reader {
        Reader::Goroutine | Reader::Thread | Reader::Epoll => 2,
        Reader::None => 1,
        Reader::Unknown | Reader::Mixed => 0,
    }
}

#[cfg(test)]
mod tests;
