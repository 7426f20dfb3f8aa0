//! Everything known about one socket.

use alloc::{boxed::Box, sync::Arc, vec::Vec};

use crate::{
    Actor, ConnectionId, Direction, FindingKey, Flag, Interval, Origin, Owner, ProcessKey,
    ReaderFacts, SocketFacts, StackId, TcpState, Timestamp, Verdict,
    cap_reason::CapReason,
    closing_times::{closed_by_peer, death, has_fin, has_read_eof},
    repetition::Repetition,
    waits::{self, Waits},
};

/// Everything known about one socket that may be open.
#[derive(Clone, Debug)]
pub(crate) struct Tracked {
    pub(crate) id: ConnectionId,
    pub(crate) origin: Origin,
    /// When the connection was opened; if it was open before tracing, the latest possible time.
    pub(crate) opened_at: Timestamp,
    /// If the opening was not seen: when the latest snapshot without the connection began. It was
    /// opened after that.
    pub(crate) absent_at: Option<Timestamp>,
    /// When the connection entered the table.
    pub(crate) known_since: Timestamp,
    /// The process that called `connect` or `accept`, if that was seen.
    pub(crate) opener: Option<ProcessKey>,
    /// The stack of the `connect` or `accept` call, if it was kept.
    pub(crate) stack: Option<StackId>,
    /// Whether the `connect` or `accept` call was seen.
    pub(crate) call: OpeningCall,
    /// The holders that were already running when a snapshot did not yet show them as holders: the
    /// file descriptor was passed to them, not inherited.
    pub(crate) passed_to: Vec<ProcessKey>,
    /// Which side opened the connection, as known from an event or from conclusive sequence
    /// numbers.
    pub(crate) direction: Option<Direction>,
    /// When the peer's FIN arrived.
    pub(crate) peer_closed: Option<Interval>,
    /// When the connection entered CLOSE after having been connected.
    pub(crate) died: Option<Interval>,
    /// The facts in the latest snapshot that showed the connection.
    pub(crate) facts: Option<Arc<SocketFacts>>,
    /// When the latest snapshot that showed the connection began.
    pub(crate) seen_at: Timestamp,
    /// The number of the latest snapshot that showed the connection.
    pub(crate) snapshot: u64,
    /// The effect of a snapshot that shows the same facts again, computed in advance.
    pub(crate) repetition: Repetition,
    /// The number of snapshots that have shown the connection.
    pub(crate) snapshots_seen: u64,
    /// The number of consecutive snapshots since then without the connection.
    pub(crate) snapshots_missed: u8,
    /// The time since which the application has certainly read nothing.
    pub(crate) unread_since: Timestamp,
    /// The time of the latest snapshot that showed that the application had read data, not just
    /// EOF.
    pub(crate) read_at: Option<Timestamp>,
    /// The number of snapshots that showed reads of data, since the latest snapshot that showed a
    /// write.
    pub(crate) reads: u32,
    /// Whether no snapshot has shown that the application read anything from the connection.
    pub(crate) never_seen_reading: bool,
    /// Whether a read returned EOF to the application.
    pub(crate) eof_received: bool,
    /// The largest number of connections of the group that were alive at once since this one died.
    pub(crate) alive_max_since: usize,
    /// Whether the process closed a dead connection of the group when it opened this one.
    pub(crate) is_replacement: bool,
    /// The answer of the latest inspection of the process, if neither holders nor byte counters
    /// have changed since. Boxed, because most connections are never asked about.
    pub(crate) reader: Option<Box<SeenReader>>,
    /// What was seen of a peer for which the process is waiting. Boxed, because most connections
    /// have no such peer.
    pub(crate) waits: Option<Box<Waits>>,
    /// The longest pause after which the application used the connection again, in milliseconds.
    pub(crate) pause_max_ms: u64,
    /// The current verdict. Boxed, because hardly any connection has one.
    pub(crate) flagged: Option<Box<Flagged>>,
}

/// Whether the `connect` or `accept` call that created a connection was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OpeningCall {
    Seen,
    NotSeen,
    /// The call was not seen, and events were lost around the first snapshot that showed the
    /// connection, so the event of the call may be among them.
    Lost,
}

/// The verdict that a connection has been given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Flagged {
    pub(crate) flag: Flag,
    /// The stack at which the open response was requested, as of the time of the verdict.
    pub(crate) response: Option<(ProcessKey, StackId)>,
    /// Why the confidence of the connection was capped; `None` if it was not.
    pub(crate) cap_reason: Option<CapReason>,
    /// The key of the finding that contains the connection.
    pub(crate) key: Arc<FindingKey>,
}

/// What inspections of the process have found out about one connection's reader.
#[derive(Clone, Debug)]
pub(crate) struct SeenReader {
    /// When the latest inspection began.
    pub(crate) at: Timestamp,
    /// What the latest inspection found out about the reader; `None` if nothing, which also counts
    /// as an answer.
    pub(crate) facts: Option<ReaderFacts>,
    /// The number of consecutive inspections that found this reader.
    pub(crate) inspections: u64,
}

impl Tracked {
    /// A connection whose opening was seen.
    pub(crate) const fn opened(id: ConnectionId, at: Timestamp) -> Self {
        Self {
            id,
            origin: Origin::Traced,
            opened_at: at,
            absent_at: None,
            known_since: at,
            opener: None,
            stack: None,
            call: OpeningCall::NotSeen,
            passed_to: Vec::new(),
            direction: None,
            peer_closed: None,
            died: None,
            facts: None,
            seen_at: at,
            snapshot: 0,
            repetition: Repetition::SaysMore,
            snapshots_seen: 0,
            snapshots_missed: 0,
            unread_since: at,
            read_at: None,
            reads: 0,
            never_seen_reading: true,
            eof_received: false,
            alive_max_since: 0,
            is_replacement: false,
            reader: None,
            waits: None,
            pause_max_ms: 0,
            flagged: None,
        }
    }

    /// A connection that no event reported, and that a snapshot that began at `at` shows.
    /// `absent_at` is when the previous snapshot, which did not show the connection, began.
    pub(crate) fn found_open(
        facts: &SocketFacts,
        at: Timestamp,
        absent_at: Option<Timestamp>,
    ) -> Self {
        // Both are set when the connection is established, and never decrease.
        let earliest = [facts.last_sent_at, facts.last_received_at].into_iter().flatten().min();
        Self {
            origin: Origin::Seeded,
            opened_at: earliest.unwrap_or(at),
            absent_at,
            ..Self::opened(facts.id, at)
        }
    }

    /// Resets the state for a socket that is connected again, after a failure or `AF_UNSPEC`: this
    /// is a new connection. What a snapshot showed of the new connection before the event arrived
    /// is kept.
    pub(crate) fn reconnect(&mut self, at: Timestamp) {
        let seen_at = self.seen_at;
        let facts = self.facts.take().filter(|_| seen_at >= at);
        *self = Self {
            seen_at,
            direction: Some(Direction::Outbound),
            snapshot: if facts.is_some() { self.snapshot } else { 0 },
            flagged: self.flagged.take(),
            facts,
            ..Self::opened(self.id, at)
        };
    }

    /// Sets the process that called `connect` or `accept`, and the stack of the call.
    pub(crate) fn set_opener(&mut self, actor: Option<&Actor>) {
        self.call = OpeningCall::Seen;
        self.opener = actor.map(|actor| actor.key);
        self.stack = actor.and_then(|actor| actor.stack);
    }

    /// Updates [`passed_to`](Self::passed_to) with the holders in `facts` that the previous
    /// snapshot, begun at `previous_at`, did not show although they were already running.
    pub(crate) fn update_passed_to(
        &mut self,
        facts: &SocketFacts,
        previous_at: Timestamp,
        started_at: impl Fn(ProcessKey) -> Timestamp,
    ) {
        let held = |owner: &Owner| {
            let mut before = self.facts.iter().flat_map(|facts| &facts.owners);
            before.any(|before| before.key == owner.key)
        };
        let is_new = |owner: &&Owner| {
            Some(owner.key) != self.opener && started_at(owner.key) < previous_at && !held(owner)
        };
        let new: Vec<ProcessKey> = facts.owners.iter().filter(is_new).map(|it| it.key).collect();
        // A process that closed its file descriptor may get another one in a different way.
        self.passed_to.retain(|key| facts.owners.iter().any(|owner| owner.key == *key));
        self.passed_to.extend(new);
    }

    /// Updates the state with a snapshot, begun at `at`, that shows the same as the previous one.
    /// Returns false and does nothing if it shows something else, or if the time since then
    /// matters; in that case, [`update`](Self::update) is required.
    pub(crate) fn see_again(
        &mut self,
        facts: &Arc<SocketFacts>,
        at: Timestamp,
        snapshot: u64,
    ) -> bool {
        let same = self.facts.as_ref().filter(|known| Arc::ptr_eq(known, facts) || *known == facts);
        // A connection that was in only one or two snapshots counts as new.
        if self.snapshots_seen < 2 || same.is_none() {
            return false;
        }
        match self.repetition {
            Repetition::SaysMore => return false,
            Repetition::NothingUnread => self.unread_since = at,
            Repetition::StillUnread => {}
        }
        self.seen_at = at;
        self.snapshot = snapshot;
        self.snapshots_seen += 1;
        true
    }

    /// Updates the state with what a snapshot, begun at `at`, saw. Returns whether the application
    /// has used the connection since the previous snapshot.
    pub(crate) fn update(&mut self, facts: Arc<SocketFacts>, at: Timestamp, snapshot: u64) -> bool {
        let (previous, seen_at) = (self.facts.as_deref(), self.seen_at);
        let read = previous.is_some_and(|old| old.read_sequence != facts.read_sequence);
        let wrote = previous.is_some_and(|old| old.write_sequence != facts.write_sequence);
        let paused_ms =
            previous.map_or(0, |old| waits::paused_ms(old, &facts, self.unread_since, at));
        let read_at = facts.last_read_at.unwrap_or(at).min(at);
        if facts.unread_bytes == 0 {
            self.unread_since = at;
        } else if read {
            self.unread_since = read_at;
        } else if previous.is_none_or(|old| old.unread_bytes == 0) {
            self.unread_since = facts.last_received_at.max(facts.last_read_at).unwrap_or(at);
        }
        self.never_seen_reading &= !read;
        let data =
            previous.is_some_and(|old| old.unread_bytes > 0 || old.rx_bytes != facts.rx_bytes);
        if wrote {
            self.reads = 0;
        }
        if read && data {
            self.read_at = Some(read_at);
            self.reads = self.reads.saturating_add(1);
        }
        if let (None, Some(actively)) = (self.direction, facts.opened_actively) {
            self.direction = Some(if actively { Direction::Outbound } else { Direction::Inbound });
        }
        let may_have_fin = facts.fin_received != Some(false);
        let eof_received =
            self.eof_received || previous.is_some_and(|old| has_read_eof(old, &facts));
        self.eof_received = may_have_fin && eof_received;
        // The socket can be connected again, so the times of a state that has ended are dropped.
        let open_at = previous.filter(|old| !has_fin(old)).map(|_| seen_at);
        let closed = || closed_by_peer(&facts, at, open_at);
        self.peer_closed = match facts.fin_received {
            Some(true) => {
                Some(self.peer_closed.map_or_else(closed, |known| known.within(closed())))
            }
            Some(false) => None,
            None => self.peer_closed,
        };
        let alive_at = previous.filter(|old| old.state != TcpState::Closed).map(|_| seen_at);
        let died = || death(&facts, at, alive_at);
        let is_dead = facts.state == TcpState::Closed && facts.last_received_at.is_some();
        self.died = is_dead.then(|| self.died.unwrap_or_else(died));
        let has_moved = previous
            .is_some_and(|old| old.rx_bytes != facts.rx_bytes || old.owners != facts.owners);
        self.pause_max_ms = self.pause_max_ms.max(paused_ms);
        self.update_waits(&facts, wrote, at);
        if read || wrote || has_moved {
            self.reader = None;
        }
        let is_waited_for = self.waits.is_some() || waits::is_slow(&facts, Some(&facts));
        let is_closed_sometime = self.peer_closed.is_some_and(|it| it.earliest < it.latest);
        self.repetition = if is_waited_for || is_closed_sometime {
            Repetition::SaysMore
        } else if facts.unread_bytes > 0 {
            Repetition::StillUnread
        } else {
            Repetition::NothingUnread
        };
        self.facts = Some(facts);
        self.seen_at = at;
        self.snapshot = snapshot;
        self.snapshots_seen += 1;
        self.snapshots_missed = 0;
        // Receiving EOF does not count as use: it does not mean that the process will close.
        (read && data) || wrote
    }

    /// Updates the state with what a snapshot, begun at `at`, shows of a peer for which the process
    /// is waiting.
    fn update_waits(&mut self, facts: &SocketFacts, wrote: bool, at: Timestamp) {
        let previous = self.facts.as_deref();
        let is_slow = waits::is_slow(facts, previous);
        let is_half_closed = waits::is_half_closed(facts);
        if !is_slow && !is_half_closed && self.waits.is_none() {
            return;
        }
        let open_at = previous.filter(|old| !waits::is_half_closed(old)).map(|_| self.seen_at);
        let waits = self.waits.get_or_insert_default();
        if is_slow {
            waits.slow_at = Some(at);
            waits.written_at = waits.written_at.max(wrote.then_some(at));
        }
        let fin_sent = waits::fin_sent(waits.fin_sent, facts, at, open_at);
        waits.fin_sent = is_half_closed.then_some(fin_sent);
    }

    /// Stores the answer of an inspection that began at `at`; `None` if it found out nothing.
    pub(crate) fn set_reader(&mut self, found: Option<ReaderFacts>, at: Timestamp) {
        let reader = |facts: &Option<ReaderFacts>| facts.as_ref().map(|facts| facts.reader);
        let same = self.reader.take().filter(|before| reader(&before.facts) == reader(&found));
        let inspections = 1 + same.map_or(0, |before| before.inspections);
        self.reader = Some(Box::new(SeenReader { at, facts: found, inspections }));
    }

    /// The current verdict, if it is based on a pattern of dead connections.
    pub(crate) fn dead_flag(&self) -> Option<Flag> {
        self.flag().filter(|flag| {
            matches!(
                flag.verdict,
                Verdict::CloseWait
                    | Verdict::Ghost
                    | Verdict::StalePool
                    | Verdict::Undrained
                    | Verdict::NeverRead
            )
        })
    }

    /// Whether it is dead: closed by its peer, in CLOSE, or with a verdict for unread data.
    pub(crate) fn is_dead(&self) -> bool {
        let is_over =
            |facts: &SocketFacts| matches!(facts.state, TcpState::CloseWait | TcpState::Closed);
        self.facts.as_deref().is_some_and(is_over) || self.dead_flag().is_some()
    }

    /// The time since which the connection has been dead; `None` if it is not known to be dead.
    pub(crate) fn dead_since(&self) -> Option<Timestamp> {
        let closed = self.peer_closed.or(self.died).map(|closed| closed.latest);
        closed.or_else(|| self.dead_flag().map(|_| self.unread_since))
    }

    /// The present verdict.
    pub(crate) fn flag(&self) -> Option<Flag> {
        self.flagged.as_ref().map(|flagged| flagged.flag)
    }

    /// The earliest time at which it can have been opened. `opened_at` is not that time for a
    /// connection that was open before tracing: the timestamps behind it advance with every use.
    pub(crate) fn opened_after(&self) -> Timestamp {
        match self.origin {
            Origin::Traced => self.opened_at,
            Origin::Seeded => self.absent_at.unwrap_or_default(),
        }
    }

    /// The owning process of a connection that was seen; `None` for listeners and unconnected
    /// sockets, which are not judged.
    pub(crate) fn judged_by(&self) -> Option<ProcessKey> {
        let facts = self.facts.as_ref()?;
        let is_connection = facts.state != TcpState::Listen && facts.remote.port() != 0;
        self.owner().filter(|_| is_connection).map(|owner| owner.key)
    }

    /// The file descriptor of the owning process: the opener while it still holds one, else the
    /// oldest holder; a process in scope, if there is one.
    pub(crate) fn owner(&self) -> Option<&Owner> {
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
