use crate::{Direction, Interval, Options, SocketFacts, Timestamp, tracked::Tracked};

/// One connection as the rules see it: what is known, and what time it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sighting<'a> {
    pub(crate) tracked: &'a Tracked,
    pub(crate) facts: &'a SocketFacts,
    pub(crate) direction: Direction,
    pub(crate) now: Timestamp,
    pub(crate) options: &'a Options,
    /// The accountable process is stopped and cannot read whatever it wants.
    pub(crate) stopped: bool,
}

impl<'a> Sighting<'a> {
    /// The connection, if any snapshot has shown it.
    pub(crate) fn new(
        tracked: &'a Tracked,
        direction: Direction,
        now: Timestamp,
        options: &'a Options,
        stopped: bool,
    ) -> Option<Self> {
        let facts = tracked.facts.as_ref()?;
        Some(Self { tracked, facts, direction, now, options, stopped })
    }

    /// Time since data was last sent or received; of a connection without any, its age.
    pub(crate) fn idle_ms(&self) -> u64 {
        let last = self.facts.last_sent_at.max(self.facts.last_received_at);
        self.now.ms_since(last.unwrap_or(self.tracked.opened_at))
    }

    /// Time since data was last sent.
    pub(crate) fn sent_ms(&self) -> u64 {
        self.now.ms_since(self.facts.last_sent_at.unwrap_or(self.tracked.opened_at))
    }

    /// Time since data was last received.
    pub(crate) fn received_ms(&self) -> u64 {
        self.now.ms_since(self.facts.last_received_at.unwrap_or(self.tracked.opened_at))
    }

    /// How long ago the peer closed: at least and at most. 0 if it did not.
    pub(crate) fn peer_closed_ms(&self) -> (u64, u64) {
        self.tracked.peer_closed.map_or((0, 0), |closed| {
            (self.now.ms_since(closed.latest), self.now.ms_since(closed.earliest))
        })
    }

    /// When data last came.
    pub(crate) fn last_received(&self) -> Interval {
        Interval::exact(self.facts.last_received_at.unwrap_or(self.tracked.opened_at))
    }

    /// The time T is over; or the connection has a verdict already, so that one that goes from
    /// one bad state to the next is not taken back in between.
    pub(crate) const fn overdue(&self, milliseconds: u64) -> bool {
        self.tracked.flag.is_some() || milliseconds >= self.options.idle_ms
    }
}
