use crate::{
    ConnectionId, Direction, Flag, Interval, Origin, Owner, ProcessKey, SocketFacts, TcpState,
    Timestamp,
};

/// Everything known of one socket that may be open.
#[derive(Clone, Debug)]
pub(crate) struct Tracked {
    pub(crate) id: ConnectionId,
    pub(crate) origin: Origin,
    /// When it was opened; of a seeded one, the latest that can have been.
    pub(crate) opened_at: Timestamp,
    /// When it came into the table.
    pub(crate) known_since: Timestamp,
    /// The process that called `connect` or `accept`, if that was seen.
    pub(crate) opener: Option<ProcessKey>,
    /// Known from an event or from conclusive sequence numbers.
    pub(crate) direction: Option<Direction>,
    /// When the peer's FIN came.
    pub(crate) peer_closed: Option<Interval>,
    /// When it went to CLOSE after having been connected.
    pub(crate) died: Option<Interval>,
    /// What the latest snapshot that showed it saw.
    pub(crate) facts: Option<SocketFacts>,
    /// The number of that snapshot.
    pub(crate) snapshot: u64,
    /// How many snapshots since have not shown it.
    pub(crate) missed: u8,
    /// Since when the application has certainly read nothing.
    pub(crate) unread_since: Timestamp,
    /// Nothing has been read for as long as the tool has looked.
    pub(crate) never_seen_reading: bool,
    /// The standing verdict.
    pub(crate) flag: Option<Flag>,
}

impl Tracked {
    /// A connection that came into being before the eyes of the tool.
    pub(crate) const fn born(id: ConnectionId, at: Timestamp) -> Self {
        Self {
            id,
            origin: Origin::Traced,
            opened_at: at,
            known_since: at,
            opener: None,
            direction: None,
            peer_closed: None,
            died: None,
            facts: None,
            snapshot: 0,
            missed: 0,
            unread_since: at,
            never_seen_reading: true,
            flag: None,
        }
    }

    /// A connection that a snapshot shows and no event announced.
    pub(crate) fn seeded(facts: &SocketFacts) -> Self {
        // Both are set when the connection is established and only ever rise.
        let earliest = [facts.last_sent_at, facts.last_received_at].into_iter().flatten().min();
        Self {
            origin: Origin::Seeded,
            opened_at: earliest.unwrap_or(facts.at),
            ..Self::born(facts.id, facts.at)
        }
    }

    /// Takes in what a snapshot saw. Gives true if the application has used the connection since
    /// the snapshot before.
    pub(crate) fn see(&mut self, facts: SocketFacts, snapshot: u64) -> bool {
        let previous = self.facts.as_ref();
        let read = previous.is_some_and(|old| old.read_sequence != facts.read_sequence);
        let wrote = previous.is_some_and(|old| old.write_sequence != facts.write_sequence);
        if read || facts.unread_bytes == 0 {
            self.unread_since = facts.at;
        }
        self.never_seen_reading &= !read;
        if let (None, Some(actively)) = (self.direction, facts.opened_actively) {
            self.direction = Some(if actively { Direction::Outbound } else { Direction::Inbound });
        }
        if facts.fin_received && self.peer_closed.is_none() {
            self.peer_closed = Some(since_last_data(&facts, previous));
        }
        if facts.state == TcpState::Closed && facts.last_received_at.is_some() {
            // Nothing restarts the clock of a dead socket, so its last segment is its death.
            self.died.get_or_insert(Interval::exact(facts.last_segment_at));
        }
        self.facts = Some(facts);
        self.snapshot = snapshot;
        self.missed = 0;
        read || wrote
    }

    /// The descriptor that answers for the connection: the opener's while it still holds one,
    /// else the oldest holder's; of those in scope, if any is.
    pub(crate) fn accountable(&self) -> Option<&Owner> {
        let owners = &self.facts.as_ref()?.owners;
        let scoped = owners.iter().any(|owner| owner.in_scope);
        let candidates = || owners.iter().filter(|owner| owner.in_scope || !scoped);
        candidates()
            .filter(|owner| Some(owner.key) == self.opener)
            .min()
            .or_else(|| candidates().min())
    }
}

/// The FIN came after the last data, and after the last snapshot that did not show it; and it
/// was a segment. A keepalive answer is one too, so the interval may be wide.
fn since_last_data(facts: &SocketFacts, previous: Option<&SocketFacts>) -> Interval {
    let seen_open = previous.filter(|old| !old.fin_received).map(|old| old.at);
    let latest = facts.last_segment_at;
    let earliest = seen_open.max(facts.last_received_at).unwrap_or_default().min(latest);
    Interval { earliest, latest }
}
