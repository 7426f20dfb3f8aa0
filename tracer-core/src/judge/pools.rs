//! Which dead connections of a group a pool may keep.

use alloc::{collections::BTreeSet, vec::Vec};
use core::cmp::Reverse;

use crate::{
    ConnectionId, connection_view::ConnectionView, excuse::Excuse, rules, turnover::Turnover,
};

/// Leaked connections that may have been alive when most were, at most.
const ALIVE_MAX: usize = 5;

/// Excuses the dead connections of a group that a pool may keep, or a garbage collector may close.
pub(super) fn excuse(members: &mut [ConnectionView<'_>], turnover: &Turnover) {
    for view in members.iter_mut().filter(|view| awaits_collection(view, turnover)) {
        view.excuse = Some(Excuse::Collector);
    }
    let kept = kept_by_pool(members, turnover);
    for view in members.iter_mut().filter(|view| kept.contains(&view.tracked.id)) {
        view.excuse = Some(Excuse::Pool);
    }
}

/// It died since the latest run of the garbage collector that closes others of the group.
fn awaits_collection(view: &ConnectionView<'_>, turnover: &Turnover) -> bool {
    let (tracked, idle_ms) = (view.tracked, view.options.idle_ms);
    let is_awaited = |since| turnover.awaits_collection(since, view.now, idle_ms);
    tracked.is_dead() && !is_response(view) && tracked.dead_since().is_some_and(is_awaited)
}

/// It has an HTTP response, which says more than its state.
fn is_response(view: &ConnectionView<'_>) -> bool {
    view.is_confirmed() || rules::leaked(view).next().is_some()
}

/// The dead connections that say nothing, because the process comes back to others like them.
///
/// A pool has no more connections than were alive at one time. Those of the group beyond that are
/// not its own: first those that outlived the most, because a pool takes its own ones when it needs
/// that many.
fn kept_by_pool(all: &[ConnectionView<'_>], turnover: &Turnover) -> BTreeSet<ConnectionId> {
    if !turnover.has_clean_ups() {
        return BTreeSet::new();
    }
    let mut dead: Vec<&ConnectionView<'_>> =
        all.iter().filter(|view| view.tracked.is_dead() && !is_response(view)).collect();
    dead.sort_by_key(|view| {
        (Reverse(view.tracked.outlived), view.tracked.dead_since(), view.tracked.id)
    });
    let pool = pool_size(&dead, turnover);
    let outlived = dead.iter().filter(|view| view.tracked.outlived >= pool.max(1)).count();
    let beyond = all.len().saturating_sub(pool).max(outlived).min(dead.len());
    let is_leaked = |view: &ConnectionView<'_>| turnover.excess_grew || view.has_accumulated();
    let kept = dead.iter().enumerate().filter(|(rank, view)| *rank >= beyond || !is_leaked(view));
    kept.map(|(_, view)| view.tracked.id).collect()
}

/// The largest number alive at one time, without the leaked ones among those.
fn pool_size(dead: &[&ConnectionView<'_>], turnover: &Turnover) -> usize {
    let largest = turnover.alive_max;
    let was_alive = |view: &&&ConnectionView<'_>| {
        view.tracked.opened_at <= turnover.alive_max_at
            && view.tracked.dead_since() > Some(turnover.alive_max_at)
    };
    let candidates = dead.iter().filter(was_alive).take(ALIVE_MAX.min(largest / 20 + 1));
    let leaked = candidates.zip(1..).filter(|(view, rank)| view.tracked.outlived + rank >= largest);
    largest.saturating_sub(leaked.map(|(_, rank)| rank).max().unwrap_or(0))
}
