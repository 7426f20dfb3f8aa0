//! Matches peers that read slowly with the connections whose data a process may be holding back for
//! them.

use alloc::{
    collections::{BTreeSet, BinaryHeap},
    vec::Vec,
};
use core::cmp::Reverse;

use crate::{ConnectionId, Timestamp};

/// The maximum number of times that a candidate whose nearest peer has been taken is queued again
/// for the next nearest peer. Bounds the work for processes with thousands of candidates and peers.
const RETRIES: u8 = 8;

/// The data that the process may be holding back for a slow peer. The first variant fits best.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Data {
    /// Data is unread, or an HTTP response is open.
    Pending,
    /// All data was read, and the peer has closed: the data, and then EOF, may be on their way.
    Taken,
    /// No more is unread than a TLS session ticket may take.
    Little,
    /// No data.
    None,
}

/// A connection that a slow peer may block.
#[derive(Clone, Copy, Debug)]
pub(super) struct Candidate {
    pub(super) id: ConnectionId,
    pub(super) data: Data,
    /// When the unread data of the connection began to wait or, without unread data, when the
    /// connection was last used.
    pub(super) untouched_since: Timestamp,
    pub(super) used_at: Timestamp,
    /// The number of slow peers that the connection requires: one per response, if it has several.
    pub(super) responses: usize,
    /// Maximum time between [`untouched_since`](Self::untouched_since) and the last write to the
    /// peer, in milliseconds. `None` means no maximum, because a rule about the process claims the
    /// connection, which can therefore be capped. A connection that no rule claims has a maximum,
    /// and is not capped: it only takes the peer from the other candidates.
    pub(super) apart_max_ms: Option<u64>,
}

/// A candidate in the queue, ordered by how well it fits the peers that are left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Queued {
    data: Data,
    /// The time between the last use of the candidate and that of the nearest peer, in
    /// milliseconds.
    apart_ms: u64,
    used_at: Reverse<Timestamp>,
    id: ConnectionId,
    index: usize,
    retries: u8,
}

/// The candidates that are capped by `peers`, to which the process last wrote at these times. A peer
/// caps one connection, or one response if a connection has several: first the one that was last
/// used at about the same time.
pub(super) fn blocked(
    peers: impl IntoIterator<Item = (Timestamp, ConnectionId)>,
    candidates: &[Candidate],
) -> Vec<ConnectionId> {
    let mut peers: BTreeSet<(Timestamp, ConnectionId)> = peers.into_iter().collect();
    let queued = candidates.iter().enumerate().filter_map(|(index, it)| {
        let (apart_ms, _) = nearest(&peers, it)?;
        let Candidate { data, id, .. } = *it;
        let used_at = Reverse(it.used_at);
        Some(Reverse(Queued { data, apart_ms, used_at, id, index, retries: 0 }))
    });
    let mut queue: BinaryHeap<Reverse<Queued>> = queued.collect();
    let mut capped = Vec::new();
    while let Some(Reverse(queued)) = queue.pop() {
        let Some(candidate) = candidates.get(queued.index) else { continue };
        let Some((apart_ms, peer)) = nearest(&peers, candidate) else { continue };
        if peers.len() < candidate.responses {
            continue;
        }
        if apart_ms > queued.apart_ms && queued.retries < RETRIES {
            let retries = queued.retries + 1;
            queue.push(Reverse(Queued { apart_ms, retries, ..queued }));
            continue;
        }
        match candidate.apart_max_ms {
            Some(apart_max_ms) if apart_ms > apart_max_ms => continue,
            Some(_) => {}
            None => capped.push(candidate.id),
        }
        peers.remove(&peer);
        for _ in 1..candidate.responses {
            if let Some((_, peer)) = nearest(&peers, candidate) {
                peers.remove(&peer);
            }
        }
    }
    capped
}

/// The peer that is nearest in time, and the time between its last use and that of the candidate,
/// in milliseconds. A connection is not waiting for its own peer.
fn nearest(
    peers: &BTreeSet<(Timestamp, ConnectionId)>,
    candidate: &Candidate,
) -> Option<(u64, (Timestamp, ConnectionId))> {
    let at = candidate.untouched_since;
    let is_other = |(_, id): &&(Timestamp, ConnectionId)| *id != candidate.id;
    let middle = (at, ConnectionId(0));
    let earlier = peers.range(..middle).rev().find(is_other);
    let later = peers.range(middle..).find(is_other);
    let apart_ms =
        |(time, _): &(Timestamp, ConnectionId)| time.ms_since(at).max(at.ms_since(*time));
    [earlier, later].into_iter().flatten().map(|peer| (apart_ms(peer), *peer)).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(id: u64, untouched_s: u64, apart_max_s: Option<u64>) -> Candidate {
        let at = Timestamp::from_ms(untouched_s * 1_000);
        Candidate {
            id: ConnectionId(id),
            data: Data::Pending,
            untouched_since: at,
            used_at: at,
            responses: 1,
            apart_max_ms: apart_max_s.map(|seconds| seconds * 1_000),
        }
    }

    #[track_caller]
    fn check(peers: &[(u64, u64)], candidates: &[Candidate], capped: &[u64]) {
        let peers =
            peers.iter().map(|(at_s, id)| (Timestamp::from_ms(at_s * 1_000), ConnectionId(*id)));
        let mut found: Vec<u64> = blocked(peers, candidates).iter().map(|id| id.0).collect();
        found.sort_unstable();
        assert_eq!(found, capped);
    }

    #[test]
    fn each_peer_caps_the_connection_that_was_used_at_about_the_same_time() {
        let candidates = [10, 50, 52, 90].map(|at_s| candidate(at_s, at_s, None));
        check(&[(11, 1), (91, 2)], &candidates, &[10, 90]);
        // The second best of the first peer takes what is left.
        check(&[(50, 1), (51, 2), (300, 3)], &candidates, &[50, 52, 90]);
        check(&[], &candidates, &[]);
    }

    #[test]
    fn a_connection_in_use_takes_only_a_peer_in_use() {
        let in_use = candidate(1, 198, Some(10));
        let candidates = [in_use, candidate(50, 50, None), candidate(99, 99, None)];
        check(&[(200, 8), (100, 9)], &candidates, &[99]);
        check(&[(100, 9)], &candidates, &[99]);
        check(&[(200, 8)], &candidates, &[]);
    }

    #[test]
    fn a_connection_does_not_cap_itself_and_several_responses_take_several_peers() {
        check(&[(50, 50)], &[candidate(50, 50, None)], &[]);
        check(
            &[(50, 50), (60, 60)],
            &[candidate(50, 50, None), candidate(60, 60, None)],
            &[50, 60],
        );
        let several = Candidate { responses: 2, ..candidate(50, 50, None) };
        check(&[(50, 1)], &[several], &[]);
        check(&[(50, 1), (70, 2)], &[several, candidate(51, 51, None)], &[50]);
    }
}
