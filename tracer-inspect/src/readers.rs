//! Who in a process would notice something on its connections, from the outside: nothing is
//! stopped, probed or written.
//!
//! Only what is certain is said. That no thread is in a call on a connection right now proves
//! nothing: programs that block come back. So *none* takes the process's own books.

use std::collections::{BTreeMap, BTreeSet};

use tracer_core::{
    Asked, ConnectionId, Goroutines, Input, Limit, ProcessKey, Reader, ReaderFacts, Readers,
    Timestamp,
};

use crate::{
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

/// The links of so few are read in any case: that takes some milliseconds, and then an epoll is not
/// missed whose number was a socket's a moment ago.
const LINKS_FEW: usize = 500;

/// Looks into processes for readers. Keeps from one look to the next what saves work.
#[derive(Debug, Default)]
pub struct ReaderInspections {
    epolls: Epolls,
}

impl ReaderInspections {
    /// What is known of the readers of these connections; `None` if the process is gone, or has
    /// become another one meanwhile.
    pub fn answer(
        &mut self,
        programs: &mut GoPrograms,
        process: ProcessKey,
        asked: &[Asked],
    ) -> Option<Input> {
        let at = clock::now();
        if !is_running(process) {
            return None;
        }
        let mut found = Found::default();
        // A number in another thread's table says nothing of what `/proc/PID/fd` shows.
        let mut by_number = !fd_tables::is_one(process.pid);
        let is_cheap = asked.len() <= LINKS_FEW;
        let sockets = if by_number || is_cheap { BTreeSet::new() } else { numbers(asked) };
        match self.epolls.look(process, &sockets) {
            Ok(registrations) => {
                found.limits.extend(registrations.limit());
                by_number |= registrations.are_by_number();
                for (id, reader) in self.epoll_readers(process, asked, &registrations) {
                    found.add(ReaderFacts { id, reader, is_registered: true, http: None });
                }
                let go = programs.inspect(process, registrations.list(), asked);
                if let Some(go) = go {
                    go.found.into_iter().for_each(|facts| found.add(facts));
                    found.goroutines = go.goroutines;
                    found.limits.extend(go.limits);
                }
                // That these are in no epoll is known too.
                for asked in asked {
                    found.add(unknown(asked.id));
                }
            }
            Err(error) => {
                found.limits.push(Limit::FdsUnreadable { error: file_error(&error) });
            }
        }
        let unread = asked.iter().filter(|asked| !found.has_reader(asked.id));
        let threads = threads::look(process.pid, unread);
        found.limits.extend(threads.limit);
        for id in threads.reading {
            found.add(ReaderFacts { reader: Reader::Thread, ..unknown(id) });
        }
        // The looks at threads and at Go's books, which are by number, have made sure of their own.
        // An epoll that tells the inode has the socket itself, or has not.
        if by_number {
            found.retain(asked, |asked| is_same(process.pid, asked));
        }
        is_running(process).then(|| Input::Readers(found.finish(process, at)))
    }

    /// What the registrations tell. That one watches for nothing must be so at two looks, the
    /// second of which sees every epoll that there is. And the process must still have it: what it
    /// closes stays in its epoll while another process holds it.
    fn epoll_readers(
        &mut self,
        process: ProcessKey,
        asked: &[Asked],
        registrations: &Registrations,
    ) -> BTreeMap<ConnectionId, Reader> {
        let mut readers = registrations.readers(asked);
        if readers.values().any(|reader| *reader == Reader::None) {
            let again = self.epolls.look_at_all(process);
            let again = again.map(|again| again.readers(asked)).unwrap_or_default();
            for asked in asked {
                let now = again.get(&asked.id);
                let stands = |reader: &Reader| {
                    *reader != Reader::None
                        || now == Some(&Reader::None) && is_same(process.pid, asked)
                };
                if readers.get(&asked.id).map_or(now.is_some(), |reader| !stands(reader)) {
                    readers.insert(asked.id, Reader::Unknown);
                }
            }
        }
        readers
    }
}

/// What the ways to look have found so far.
#[derive(Debug, Default)]
struct Found {
    facts: BTreeMap<ConnectionId, ReaderFacts>,
    goroutines: Option<Goroutines>,
    /// Why it is not more.
    limits: Vec<Limit>,
}

impl Found {
    /// Of two answers for one connection, a reader weighs more than none, and that more than
    /// nothing known.
    fn add(&mut self, facts: ReaderFacts) {
        let Some(known) = self.facts.get_mut(&facts.id) else {
            self.facts.insert(facts.id, facts);
            return;
        };
        if weight(facts.reader) > weight(known.reader) {
            known.reader = facts.reader;
        }
        known.is_registered |= facts.is_registered;
        known.http = known.http.take().or(facts.http);
    }

    fn has(&self, id: ConnectionId) -> bool {
        self.facts.contains_key(&id)
    }

    fn has_reader(&self, id: ConnectionId) -> bool {
        self.facts.get(&id).is_some_and(|facts| facts.reader.is_waiting())
    }

    /// Drops what was found of descriptors that by now are other connections: it was not about
    /// those that were asked about.
    fn retain(&mut self, asked: &[Asked], is_same: impl Fn(&Asked) -> bool) {
        for asked in asked {
            if self.has(asked.id) && !is_same(asked) {
                self.facts.remove(&asked.id);
            }
        }
    }

    fn finish(self, process: ProcessKey, at: Timestamp) -> Readers {
        let found = self.facts.into_values().collect();
        Readers { process, at, found, goroutines: self.goroutines, limits: self.limits }
    }
}

fn numbers(asked: &[Asked]) -> BTreeSet<u32> {
    asked.iter().map(|asked| asked.fd).collect()
}

const fn unknown(id: ConnectionId) -> ReaderFacts {
    ReaderFacts { id, reader: Reader::Unknown, is_registered: false, http: None }
}

const fn weight(reader: Reader) -> u8 {
    match reader {
        Reader::Goroutine | Reader::Thread | Reader::Epoll => 2,
        Reader::None => 1,
        Reader::Unknown | Reader::Mixed => 0,
    }
}

#[cfg(test)]
mod tests;
