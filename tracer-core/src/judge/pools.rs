//! Caps the dead connections that a pool may keep.

use alloc::{collections::BTreeSet, vec::Vec};
use core::cmp::Reverse;

use crate::{
    ConnectionId,
    cap_reason::CapReason,
    connection_view::ConnectionView,
    group_size::in_use_until,
    rules,
    turnover::{LESSER, Turnover},
};

/// Caps the dead connections of a group that a pool may keep, or a garbage collector may close.
pub(super) fn cap(members: &mut [ConnectionView<'_>], turnover: &Turnover) {
    for view in members.iter_mut().filter(|view| awaits_collection(view, turnover)) {
        view.cap_reason = Some(CapReason::Collector);
    }
    let mut kept = kept_by_pool(members, turnover);
    kept.extend(
        members.iter().filter(|view| may_be_closed(view, turnover)).map(|it| it.tracked.id),
    );
    // A process that waits for another peer may do so regardless of what the pool does.
    let is_waiting =
        |view: &ConnectionView<'_>| view.cap_reason.is_some_and(CapReason::is_temporary);
    let is_kept = |view: &ConnectionView<'_>| kept.contains(&view.tracked.id);
    for view in members.iter_mut().filter(|view| is_kept(view) && !is_waiting(view)) {
        view.cap_reason = Some(CapReason::Pool);
    }
}

/// Whether the connection died after the last run of a garbage collector that closes other
/// connections of the group.
fn awaits_collection(view: &ConnectionView<'_>, turnover: &Turnover) -> bool {
    let (tracked, idle_ms) = (view.tracked, view.options.idle_ms);
    let is_awaited = |since| turnover.awaits_collection(since, view.now, idle_ms);
    is_dead(view) && tracked.dead_since().is_some_and(is_awaited)
}

/// Whether the process may still close the dead connection, because it closed others of the group
/// as late.
fn may_be_closed(view: &ConnectionView<'_>, turnover: &Turnover) -> bool {
    let may_still_close = |since| turnover.may_still_close(since, view.now, view.options);
    is_dead(view) && view.tracked.dead_since().is_some_and(may_still_close)
}

/// Whether the connection is dead, and has no HTTP response that says more.
fn is_dead(view: &ConnectionView<'_>) -> bool {
    view.tracked.is_dead() && !is_response(view)
}

/// Whether the connection has an HTTP response, which says more than its state.
fn is_response(view: &ConnectionView<'_>) -> bool {
    view.is_confirmed() || rules::leaked(view).next().is_some()
}

/// The dead connections that are not evidence, because the process returns to others like them.
///
/// A pool has no more connections than were in use at once, so those beyond that number do not
/// belong to it. Which ones: those after whose death the most connections were alive at once,
/// because a pool would have used its own when it needed so many.
fn kept_by_pool(all: &[ConnectionView<'_>], turnover: &Turnover) -> BTreeSet<ConnectionId> {
    if !turnover.has_clean_ups() {
        return BTreeSet::new();
    }
    let mut dead: Vec<&ConnectionView<'_>> = all.iter().filter(|view| is_dead(view)).collect();
    dead.sort_by_key(|view| {
        (Reverse(view.tracked.alive_max_since), view.tracked.dead_since(), view.tracked.id)
    });
    let pool = pool_size(&dead, turnover);
    // The largest number was in use after it died, and it was not among them.
    let is_outside =
        |view: &&&ConnectionView<'_>| view.tracked.dead_since() < turnover.in_use_max_at();
    let outside = dead.iter().filter(is_outside).count();
    let beyond = all.len().saturating_sub(pool).max(outside).min(dead.len());
    let is_leaked = |view: &ConnectionView<'_>| turnover.excess_grew || view.has_accumulated();
    let kept = dead.iter().enumerate().filter(|(rank, view)| *rank >= beyond || !is_leaked(view));
    kept.map(|(_, view)| view.tracked.id).collect()
}

/// The size of the pool: the largest number of connections in use at once, less the leaked ones
/// among them. Up to [`LESSER`] dead connections that were in use at that time are taken for leaked
/// once nearly as many connections were in use twice since, without them. Until then, the pool may
/// be keeping them for another burst as large.
fn pool_size(dead: &[&ConnectionView<'_>], turnover: &Turnover) -> usize {
    let (largest, at) = turnover.in_use_max;
    if largest == 0 {
        return turnover.peak;
    }
    let was_in_use = |view: &&&ConnectionView<'_>| {
        let tracked = view.tracked;
        tracked.opened_at <= at
            && tracked.dead_since() >= Some(at)
            && in_use_until(tracked).is_none_or(|until| until >= at)
    };
    let few = LESSER.min(largest / 20 + 2).min(largest / 2);
    let mut candidates = dead.iter().filter(was_in_use).zip(1..=few);
    let leaked = candidates.find(|(view, rank)| {
        let since = view.tracked.dead_since().unwrap_or(view.now);
        turnover.was_nearly_reached_twice(*rank, since)
    });
    largest - leaked.map_or(0, |(_, rank)| rank)
}
