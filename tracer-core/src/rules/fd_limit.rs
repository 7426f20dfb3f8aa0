//! A process at its fd limit that does not close its dead connections.
//!
//! A leak that fills the limit within three times `--idle` is over before it has
//! [accumulated](super::accumulation): the process cannot open another connection, so nothing more
//! happens. But a process that has run out of file descriptors, fails because of it, and still does
//! not close its dead connections has no code that closes them in time. So these are *likely*
//! however fast they came, if all of these apply:
//!
//! - At least 95% of the limit is in use, as counted after the last of them died.
//! - It has been in use for `--idle`: that was seen, or these connections alone fill the limit and
//!   are all older than that, or no connection of the group has died for that long.
//! - They are more than half of the open file descriptors, and at least four times `--pool-size`.
//! - They are more than twice as many as may have been in use at one time, so they are not a pool
//!   that lost its peer. An inbound connection may be in use until its peer closes it, whether or
//!   not its data was read, because the peer may be waiting for the response. An outbound one with
//!   unread data may be in use until shortly after the data arrived.
//!
//! The opening time of a connection that was opened before tracing is that of its one request, as in
//! [`accumulation`](super::accumulation). A connection that carried more requests may have been in
//! use from the beginning.

use super::{Claimed, Reasons};
use crate::{
    Caveat, Confidence, Direction, Evidence, TcpState, Timestamp, connection_view::ConnectionView,
    fd_use::FdUse, group_size,
};

/// This many times `--pool-size` are required.
const POOLS: usize = 4;

/// What a process at its fd limit shows about its dead connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FdLimit {
    /// File descriptors open.
    open: u64,
    /// The limit.
    limit: u64,
    /// The largest number of connections of the group that may have been in use at one time, if
    /// these connections may be a pool of that size.
    alive_max: Option<usize>,
    /// Whether the process shows that nothing closes these connections.
    pub(super) is_witness: bool,
}

impl<'a> Claimed<'_, 'a> {
    /// What the process shows, if it is at its limit and these connections are more than half of its
    /// open file descriptors. Only those that pass `is_dead` are evidence.
    pub(super) fn fd_limit(
        &self,
        is_dead: impl Fn(&ConnectionView<'a>) -> bool,
    ) -> Option<FdLimit> {
        let fds = self.fds.filter(FdUse::is_full)?;
        let fd_count = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        if fd_count(self.count()).saturating_mul(2) <= fds.open {
            return None;
        }
        let dead = || self.members.iter().filter(|member| is_dead(member));
        let count = dead().count();
        let (idle_ms, alive_max) = (self.options.idle_ms, self.alive_max());
        let latest = dead().map(|member| (self.occurred)(member).latest).max().unwrap_or_default();
        let is_quiet = || {
            let died = self.group.iter().filter_map(died_at).max().unwrap_or_default();
            fds.at.ms_since(died) >= idle_ms
        };
        let was_full = fds.full_ms() >= idle_ms || fds.is_filled_by(fd_count(count)) || is_quiet();
        let is_pool = count <= alive_max.saturating_mul(2);
        let is_many = count >= self.options.pool_size.saturating_mul(POOLS);
        Some(FdLimit {
            open: fds.open,
            limit: fds.limit,
            alive_max: is_pool.then_some(alive_max),
            is_witness: is_many && was_full && latest <= fds.at && !is_pool,
        })
    }

    /// The largest number of connections of the group that may have been in use at one time.
    fn alive_max(&self) -> usize {
        let lifetime = |view: &ConnectionView<'a>| {
            let opened_at = view.known_opening().unwrap_or_default();
            (opened_at, died_at(view).unwrap_or(Timestamp::END))
        };
        let (alive_max, _) = group_size::peak(self.group.iter().map(lifetime));
        // If the process has a pool, it may have closed some of its connections.
        let watched = self.turnover.filter(|turnover| turnover.has_returned);
        alive_max.max(watched.map_or(0, |turnover| turnover.peak))
    }
}

/// The latest time at which the connection may have been in use; `None` if it may still be. Data
/// that has arrived on an outbound connection may be on its way to the application for a while.
fn died_at(view: &ConnectionView<'_>) -> Option<Timestamp> {
    if matches!(view.facts.state, TcpState::CloseWait | TcpState::Closed) {
        return view.tracked.dead_since();
    }
    let since = view.tracked.unread_since;
    let is_neglected =
        view.facts.unread_bytes > 0 && view.now.ms_since(since) > view.options.gap_ms();
    let is_dead = view.direction == Direction::Outbound && is_neglected;
    is_dead.then(|| since.after_ms(view.options.gap_ms()))
}

impl Reasons {
    /// Adds that the process is at its fd limit. A *possible* finding then loses the caveats that
    /// watching for longer would resolve, because the number of connections cannot grow. A finding
    /// that is *likely* because of the limit loses those about a single cause: the process should
    /// have closed the connections whatever the cause.
    pub(super) fn add_fd_limit(
        &mut self,
        claimed: &Claimed<'_, '_>,
        fd_limit: Option<FdLimit>,
        confidence: Confidence,
    ) {
        let Some(FdLimit { open, limit, alive_max, is_witness }) = fd_limit else { return };
        self.add(Evidence::FdLimitReached { count: claimed.count(), open, limit });
        match confidence {
            Confidence::Possible => {
                self.caveats.retain(|it| !it.is_about_watching());
                self.caveats.extend(alive_max.map(|alive_max| Caveat::AliveTogether { alive_max }));
                self.add_caveat(Caveat::CannotGrow);
            }
            Confidence::Likely if is_witness => {
                self.caveats.retain(|it| !it.is_about_cause());
            }
            _ => {}
        }
    }
}
