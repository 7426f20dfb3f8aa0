use alloc::{boxed::Box, vec::Vec};

use crate::{
    Actor, ConnectionId, Direction, Flag, Interval, Origin, Owner, ProcessKey, ReaderFacts,
    SocketFacts, StackId, TcpState, Timestamp,
};

/// Everything known of one socket that may be open.
#[derive(Clone, Debug)]
pub(crate) struct Tracked {
    pub(crate) id: ConnectionId,
    pub(crate) origin: Origin,
    /// When it was opened; of a seeded one, the latest that can have been.
    pub(crate) opened_at: Timestamp,
    /// When the latest look began that did not show it, of a seeded one: it was opened after that.
    pub(crate) unseen_at: Option<Timestamp>,
    /// When it came into the table.
    pub(crate) known_since: Timestamp,
    /// The process that called `connect` or `accept`, if that was seen.
    pub(crate) opener: Option<ProcessKey>,
    /// Where in its code, if that was kept.
    pub(crate) stack: Option<StackId>,
    /// The holders that had begun to run when a snapshot did not show it as theirs yet: they did
    /// not get it from a parent.
    pub(crate) handed_to: Vec<ProcessKey>,
    /// Known from an event or from conclusive sequence numbers.
    pub(crate) direction: Option<Direction>,
    /// When the peer's FIN came.
    pub(crate) peer_closed: Option<Interval>,
    /// When it went to CLOSE after having been connected.
    pub(crate) died: Option<Interval>,
    /// What the latest snapshot that showed it saw.
    pub(crate) facts: Option<Box<SocketFacts>>,
    /// When that snapshot began.
    pub(crate) seen_at: Timestamp,
    /// The number of that snapshot.
    pub(crate) snapshot: u64,
    /// How many snapshots have shown it.
    pub(crate) looks: u64,
    /// How many snapshots since the latest of those have not.
    pub(crate) missed: u8,
    /// Since when the application has certainly read nothing.
    pub(crate) unread_since: Timestamp,
    /// When the application was last seen to have read data, not just the end: the look that
    /// showed it.
    pub(crate) read_at: Option<Timestamp>,
    /// How many looks have shown that the application read data, since one showed that it wrote.
    pub(crate) reads: u32,
    /// Nothing has been read for as long as the tool has looked.
    pub(crate) never_seen_reading: bool,
    /// The application was told that the peer closed: a read gave it the end of the stream.
    pub(crate) told: bool,
    /// Who would notice, as of the latest look into the process, if the connection was not used
    /// since. Boxed, since of most connections it is never asked.
    pub(crate) reader: Option<Box<SeenReader>>,
    /// The standing verdict. Boxed, since hardly any has one.
    pub(crate) flagged: Option<Box<Flagged>>,
}

/// The verdict that a connection has been given.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flagged {
    pub(crate) flag: Flag,
    /// Whose response was out when it got that, and where it was asked for.
    pub(crate) response: Option<(ProcessKey, StackId)>,
}

/// What looks into the process have said of one connection's reader.
#[derive(Clone, Debug)]
pub(crate) struct SeenReader {
    pub(crate) facts: ReaderFacts,
    /// How many looks in a row have named this reader.
    pub(crate) looks: u64,
}

impl Tracked {
    /// A connection that came into being before the eyes of the tool.
    pub(crate) const fn born(id: ConnectionId, at: Timestamp) -> Self {
        Self {
            id,
            origin: Origin::Traced,
            opened_at: at,
            unseen_at: None,
            known_since: at,
            opener: None,
            stack: None,
            handed_to: Vec::new(),
            direction: None,
            peer_closed: None,
            died: None,
            facts: None,
            seen_at: at,
            snapshot: 0,
            looks: 0,
            missed: 0,
            unread_since: at,
            read_at: None,
            reads: 0,
            never_seen_reading: true,
            told: false,
            reader: None,
            flagged: None,
        }
    }

    /// A connection that a snapshot, begun `at` this time, shows and no event announced. `unseen_at`
    /// is when the look before began, which did not show it.
    pub(crate) fn seeded(facts: &SocketFacts, at: Timestamp, unseen_at: Option<Timestamp>) -> Self {
        // Both are set when the connection is established and only ever rise.
        let earliest = [facts.last_sent_at, facts.last_received_at].into_iter().flatten().min();
        Self {
            origin: Origin::Seeded,
            opened_at: earliest.unwrap_or(at),
            unseen_at,
            ..Self::born(facts.id, at)
        }
    }

    /// A socket can be connected again after a failure or `AF_UNSPEC`: that is a new connection.
    /// A snapshot may have been faster than the event; what it saw stays.
    pub(crate) fn reconnect(&mut self, at: Timestamp) {
        let seen_at = self.seen_at;
        let facts = self.facts.take().filter(|_| seen_at >= at);
        *self = Self {
            seen_at,
            direction: Some(Direction::Outbound),
            snapshot: if facts.is_some() { self.snapshot } else { 0 },
            flagged: self.flagged.take(),
            facts,
            ..Self::born(self.id, at)
        };
    }

    /// Notes who called `connect` or `accept`, and where in its code.
    pub(crate) fn opened_by(&mut self, actor: Option<&Actor>) {
        self.opener = actor.map(|actor| actor.key);
        self.stack = actor.and_then(|actor| actor.stack);
    }

    /// Notes the holders that `facts` shows and the snapshot before, begun at `looked_at`, did not
    /// although they ran by then, by their start on the clock of all other moments.
    pub(crate) fn note_handed(
        &mut self,
        facts: &SocketFacts,
        looked_at: Timestamp,
        began: impl Fn(ProcessKey) -> Timestamp,
    ) {
        let held = |owner: &Owner| {
            let before = self.facts.iter().flat_map(|facts| &facts.owners);
            before.clone().any(|before| before.key == owner.key)
        };
        let is_new = |owner: &&Owner| {
            Some(owner.key) != self.opener && began(owner.key) < looked_at && !held(owner)
        };
        let new: Vec<ProcessKey> = facts.owners.iter().filter(is_new).map(|it| it.key).collect();
        // Who has let go of it may get it again in another way.
        self.handed_to.retain(|key| facts.owners.iter().any(|owner| owner.key == *key));
        self.handed_to.extend(new);
    }

    /// Takes in what a snapshot saw that began `at` this time. Gives true if the application has used
    /// the connection since the snapshot before.
    pub(crate) fn see(&mut self, facts: Box<SocketFacts>, at: Timestamp, snapshot: u64) -> bool {
        let (previous, seen_at) = (self.facts.as_deref(), self.seen_at);
        let read = previous.is_some_and(|old| old.read_sequence != facts.read_sequence);
        let wrote = previous.is_some_and(|old| old.write_sequence != facts.write_sequence);
        if read || facts.unread_bytes == 0 {
            self.unread_since = at;
        } else if previous.is_none_or(|old| old.unread_bytes == 0) {
            self.unread_since = facts.last_received_at.unwrap_or(at);
        }
        self.never_seen_reading &= !read;
        let data =
            previous.is_some_and(|old| old.unread_bytes > 0 || old.rx_bytes != facts.rx_bytes);
        if wrote {
            self.reads = 0;
        }
        if read && data {
            self.read_at = Some(at);
            self.reads = self.reads.saturating_add(1);
        }
        if let (None, Some(actively)) = (self.direction, facts.opened_actively) {
            self.direction = Some(if actively { Direction::Outbound } else { Direction::Inbound });
        }
        let may_have_ended = facts.fin_received != Some(false);
        self.told = may_have_ended && (self.told || previous.is_some_and(|old| ends(old, &facts)));
        // A socket can be connected again, so what is over is forgotten.
        let open_at = previous.filter(|old| !has_fin(old)).map(|_| seen_at);
        let closed = || since_last_data(&facts, at, open_at);
        self.peer_closed = match facts.fin_received {
            Some(true) => Some(self.peer_closed.unwrap_or_else(closed)),
            Some(false) => None,
            None => self.peer_closed,
        };
        let alive_at = previous.filter(|old| old.state != TcpState::Closed).map(|_| seen_at);
        let died = || death(&facts, at, alive_at);
        let is_dead = facts.state == TcpState::Closed && facts.last_received_at.is_some();
        self.died = is_dead.then(|| self.died.unwrap_or_else(died));
        if read || wrote {
            self.reader = None;
        }
        self.facts = Some(facts);
        self.seen_at = at;
        self.snapshot = snapshot;
        self.looks += 1;
        self.missed = 0;
        read || wrote
    }

    /// Takes in what a look into the process said, or did not know.
    pub(crate) fn look_into(&mut self, found: Option<ReaderFacts>) {
        let before = self.reader.take();
        self.reader = found.map(|facts| {
            let same = before.filter(|before| before.facts.reader == facts.reader);
            let looks = 1 + same.map_or(0, |before| before.looks);
            Box::new(SeenReader { facts, looks })
        });
    }

    /// The standing verdict.
    pub(crate) fn flag(&self) -> Option<Flag> {
        self.flagged.as_ref().map(|flagged| flagged.flag)
    }

    /// It was opened after this, or then. A bound of a seeded one's age does not say so: the stamps
    /// that bound it move with every use.
    pub(crate) fn opened_after(&self) -> Timestamp {
        match self.origin {
            Origin::Traced => self.opened_at,
            Origin::Seeded => self.unseen_at.unwrap_or_default(),
        }
    }

    /// The descriptor that answers for the connection: the opener's while it still holds one,
    /// else the oldest holder's; of those in scope, if any is.
    pub(crate) fn accountable(&self) -> Option<&Owner> {
        let owners = &self.facts.as_ref()?.owners;
        if let [owner] = owners.as_slice() {
            return Some(owner);
        }
        let scoped = owners.iter().any(|owner| owner.in_scope);
        let candidates = || owners.iter().filter(|owner| owner.in_scope || !scoped);
        candidates()
            .filter(|owner| Some(owner.key) == self.opener)
            .min()
            .or_else(|| candidates().min())
    }
}

/// Between the two, a read gave the application nothing but the end of the stream. That all was
/// read is not enough: a FIN that comes with the last data, or while that lies unread, goes with
/// it when exactly that is read, and the application is none the wiser.
const fn ends(old: &SocketFacts, new: &SocketFacts) -> bool {
    let nothing_else_to_read = old.unread_bytes == 0 && old.rx_bytes == new.rx_bytes;
    let had_ended = has_fin(old) && old.drained;
    nothing_else_to_read && !had_ended && has_fin(new) && new.drained
}

/// The peer's FIN is known to have come.
const fn has_fin(facts: &SocketFacts) -> bool {
    matches!(facts.fin_received, Some(true))
}

/// When a socket died that is seen dead `at` this time, and was last seen alive at `alive_at`, if it
/// was: nothing restarts its clock, so with the last segment. Where that is not known, it was after
/// anything else that is known of its life.
fn death(facts: &SocketFacts, at: Timestamp, alive_at: Option<Timestamp>) -> Interval {
    let unseen = || {
        let lived = [alive_at, facts.last_sent_at, facts.last_received_at, facts.last_ack_at];
        let earliest = lived.into_iter().max().flatten().unwrap_or_default().min(at);
        Interval { earliest, latest: at }
    };
    facts.last_segment_at.map_or_else(unseen, Interval::exact)
}

/// The FIN, seen `at` this time, came after the last data, and after the last snapshot that did not
/// show it; and it was a segment, and acknowledged something. A keepalive answer does so too, so the
/// interval may be wide.
fn since_last_data(facts: &SocketFacts, at: Timestamp, open_at: Option<Timestamp>) -> Interval {
    let latest = facts.last_segment_at.or(facts.last_ack_at).unwrap_or(at);
    let earliest = open_at.max(facts.last_received_at).unwrap_or_default().min(latest);
    Interval { earliest, latest }
}
