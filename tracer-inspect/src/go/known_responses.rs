//! What earlier heap searches found out about responses.
//!
//! A search takes CPU time in proportion to the heap: several seconds for one of 4 GB. Readers of
//! the same connections are asked about after nearly every snapshot, so a search is repeated only
//! for responses whose result can change, and only rarely if it is expensive.

use std::{
    collections::{BTreeMap, HashMap},
    time::{Duration, Instant},
};

use tracer_core::{ConnectionId, Reachability};

use super::http_connection::Connection;

/// A process is not searched again before this many times the CPU time of the latest search has
/// passed, which is then at most 1% of one CPU,
const PAUSE_FACTOR: u32 = 100;
/// or at most this long, so that a new leak in a large heap is not unknown for too long.
const PAUSE_MAX: Duration = Duration::from_mins(5);
/// Maximum number of responses and of processes remembered. Beyond it, all are forgotten.
const REMEMBERED_MAX: usize = 1 << 16;

/// A response, as long as the connection is waiting for it to be read or closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Response {
    socket: ConnectionId,
    goroutine: u64,
    request: Option<u64>,
    progress: [u64; 3],
}

impl Response {
    pub(super) const fn of(socket: ConnectionId, connection: &Connection) -> Self {
        let Connection { goroutine, request, progress, .. } = connection;
        Self { socket, goroutine: goroutine.id, request: *request, progress: *progress }
    }
}

/// The results of earlier searches in the processes of one program.
#[derive(Debug, Default)]
pub(super) struct KnownResponses {
    results: HashMap<Response, Reachability>,
    /// When each process may be searched again.
    next: BTreeMap<u32, Instant>,
}

impl KnownResponses {
    /// What is known about a response, if a search would not change it.
    pub(super) fn final_result(&self, response: &Response) -> Option<Reachability> {
        // Nothing makes a dropped response reachable again.
        self.results.get(response).filter(|it| **it == Reachability::Dropped).cloned()
    }

    /// What the latest search said about a response.
    pub(super) fn latest_result(&self, response: &Response) -> Option<Reachability> {
        self.results.get(response).cloned()
    }

    /// Whether a process may be searched now.
    pub(super) fn may_search(&self, pid: u32, now: Instant) -> bool {
        self.next.get(&pid).is_none_or(|next| now >= *next)
    }

    /// Records a search that ended now.
    pub(super) fn searched(&mut self, pid: u32, cpu_time: Duration, now: Instant) {
        if self.next.len() >= REMEMBERED_MAX {
            self.next.clear();
        }
        self.next.insert(pid, now + cpu_time.saturating_mul(PAUSE_FACTOR).min(PAUSE_MAX));
    }

    /// Records the result of a search about a response.
    pub(super) fn found(&mut self, response: Response, result: Reachability) {
        if self.results.len() >= REMEMBERED_MAX {
            self.results.clear();
        }
        self.results.insert(response, result);
    }

    /// The approximate size in memory, in bytes.
    pub(super) fn size(&self) -> usize {
        let entry = size_of::<(Response, Reachability)>();
        self.results.capacity().saturating_mul(entry).saturating_add(64 * self.next.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(socket: u64, read: u64) -> Response {
        let (socket, progress) = (ConnectionId(socket), [0, read, 0]);
        Response { socket, goroutine: 7, request: Some(1), progress }
    }

    #[test]
    fn a_dropped_response_stays_dropped_and_another_one_does_not() {
        let mut known = KnownResponses::default();
        known.found(response(1, 5), Reachability::Dropped);
        known.found(response(2, 5), Reachability::Held(None));
        assert_eq!(known.final_result(&response(1, 5)), Some(Reachability::Dropped));
        assert_eq!(known.final_result(&response(1, 6)), None, "something was read");
        assert_eq!(known.final_result(&response(2, 5)), None, "it may be dropped later");
        assert_eq!(known.latest_result(&response(2, 5)), Some(Reachability::Held(None)));
        known.found(response(2, 5), Reachability::Dropped);
        assert_eq!(known.final_result(&response(2, 5)), Some(Reachability::Dropped));
    }

    #[test]
    fn an_expensive_search_is_repeated_rarely() {
        let (mut known, now) = (KnownResponses::default(), Instant::now());
        assert!(known.may_search(1, now));
        known.searched(1, Duration::from_millis(20), now);
        assert!(!known.may_search(1, now + Duration::from_millis(1_999)));
        assert!(known.may_search(1, now + Duration::from_secs(2)));
        assert!(known.may_search(2, now), "another process of the program");
        known.searched(1, Duration::from_secs(20), now);
        assert!(known.may_search(1, now + PAUSE_MAX));
    }

    #[test]
    fn what_is_remembered_is_limited() {
        let mut known = KnownResponses::default();
        for number in 0..=REMEMBERED_MAX as u64 {
            known.found(response(number, 0), Reachability::Dropped);
            known.searched(u32::try_from(number).unwrap(), Duration::ZERO, Instant::now());
        }
        assert!(known.results.len() <= REMEMBERED_MAX && known.next.len() <= REMEMBERED_MAX);
        assert_eq!(known.final_result(&response(0, 0)), None);
    }
}
