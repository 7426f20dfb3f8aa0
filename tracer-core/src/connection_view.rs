//! One connection as the rules see it: what is known about it, and the current time.

use crate::{
    CallSiteReason, Confidence, Direction, DurationRange, HttpConnection, HttpStage, Interval,
    Options, Origin, Owner, ProcessKey, Reachability, Reader, SocketFacts, StackId, Timestamp,
    Verdict,
    call_sites::CallSites,
    cap_reason::CapReason,
    open_responses::Response,
    stops::Stop,
    time::JIFFIES_MARGIN_MS,
    tracked::{SeenReader, Tracked},
};

/// The maximum number of data segments that a client sends for one request: the request is
/// usually one, and the TLS handshake before it two or three.
const SEGMENTS_MAX: u32 = 4;

/// After a pause, a connection is suspected again only once it has been idle for this many times
/// the pause.
const PAUSES: u64 = 3;
/// The longest time, in milliseconds, for which a connection must be idle after a pause before it
/// is suspected again.
const SUSPECT_AFTER_MAX_MS: u64 = 3_600_000;

/// A connection at the time at which the rules are applied.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ConnectionView<'a> {
    pub(crate) tracked: &'a Tracked,
    pub(crate) facts: &'a SocketFacts,
    pub(crate) direction: Direction,
    pub(crate) now: Timestamp,
    pub(crate) options: &'a Options,
    /// The owning process of the connection.
    pub(crate) process: ProcessView,
    /// The open responses on the connection's file descriptor in the owning process.
    pub(crate) listed: &'a [Response],
    /// Which of the open responses the view is about.
    pub(crate) selection: ResponseSelection<'a>,
    /// The known call sites, by stack.
    pub(crate) call_sites: &'a CallSites,
    /// Why the confidence of the connection is capped; `None` if it is not.
    pub(crate) cap_reason: Option<CapReason>,
}

/// Which of a connection's open responses a view is about: an HTTP/2 connection carries responses
/// of many call sites.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ResponseSelection<'a> {
    /// All open responses of the connection.
    All,
    /// The responses that were requested at this call site, or, if `None`, at unknown ones.
    At(Option<&'a str>),
}

/// The owning process of a connection: the one that findings name.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ProcessView {
    /// Why the process cannot have acted on its connections.
    pub(crate) stop: Option<Stop>,
    /// Whether it is unknown whether the process is stopped.
    pub(crate) is_unidentified: bool,
    /// Whether `/proc` of the process cannot be read without more privileges.
    pub(crate) is_unreadable: bool,
    /// [`HostFacts::suspended_ns`](crate::HostFacts::suspended_ns).
    pub(crate) suspended_ns: u64,
}

impl<'a> ConnectionView<'a> {
    /// When data was last sent or received; if none was, when the connection was opened.
    pub(crate) fn last_used_at(&self) -> Timestamp {
        let last = self.facts.last_sent_at.max(self.facts.last_received_at);
        last.unwrap_or(self.tracked.opened_at)
    }

    /// Time since data was last sent or received, in milliseconds; if none was, the connection's
    /// age.
    pub(crate) fn idle_ms(&self) -> u64 {
        self.now.ms_since(self.last_used_at())
    }

    /// Whether the opening of the connection was seen, so that its age is exact.
    pub(crate) fn saw_open(&self) -> bool {
        self.tracked.origin == Origin::Traced
    }

    /// Whether the connection may have been opened before tracing: its opening was not seen, and no
    /// snapshot shows otherwise.
    pub(crate) fn may_predate_tracing(&self) -> bool {
        !self.saw_open() && self.tracked.absent_at.is_none()
    }

    /// Whether the process sent data on the connection, but too little for two requests over TLS.
    pub(crate) fn was_used_once(&self) -> bool {
        (1..=SEGMENTS_MAX).contains(&self.facts.data_segments_sent)
    }

    /// Whether the connection carried at most one request, or the data received on it is unread.
    pub(crate) const fn is_unused(&self) -> bool {
        self.facts.unread_bytes > 0 || self.facts.data_segments_sent <= SEGMENTS_MAX
    }

    /// Time since data was last sent on the connection, in milliseconds.
    pub(crate) fn sent_ms(&self) -> u64 {
        self.now.ms_since(self.facts.last_sent_at.unwrap_or(self.tracked.opened_at))
    }

    /// Time since data was last received on the connection, in milliseconds.
    pub(crate) fn received_ms(&self) -> u64 {
        self.now.ms_since(self.facts.last_received_at.unwrap_or(self.tracked.opened_at))
    }

    /// The shortest and longest possible time since the peer closed; 0 if it has not.
    pub(crate) fn peer_closed_ago(&self) -> DurationRange {
        let ago = |closed: Interval| DurationRange {
            min_ms: self.now.ms_since(closed.latest),
            max_ms: self.now.ms_since(closed.earliest),
        };
        self.tracked.peer_closed.map_or(DurationRange { min_ms: 0, max_ms: 0 }, ago)
    }

    /// When data was last received.
    pub(crate) fn last_received(&self) -> Interval {
        Interval::exact(self.facts.last_received_at.unwrap_or(self.tracked.opened_at))
    }

    /// Whether `holder` inherited the connection: it started after the connection was opened, so it
    /// cannot have opened it, and the file descriptor was not seen to be passed to it since.
    pub(crate) fn is_inherited_by(&self, holder: &Owner) -> bool {
        if self.tracked.passed_to.contains(&holder.key) {
            return false;
        }
        // The age of a connection that was open before tracing comes from jiffies, and a program
        // may connect as soon as it starts.
        let margin_ms = if self.saw_open() { 0 } else { JIFFIES_MARGIN_MS };
        let started_at = holder.key.started_at(self.process.suspended_ns);
        started_at.before_ms(margin_ms) > self.tracked.opened_at
    }

    /// What an inspection of the process found out about the connection. The answer is valid for at
    /// most `--idle`, as long as holders and byte counters have not changed since the inspection.
    pub(crate) fn inspected(&self) -> Option<&'a SeenReader> {
        let seen = self.tracked.reader.as_deref()?;
        (self.now.ms_since(seen.at) <= self.options.idle_ms).then_some(seen)
    }

    /// Whether another question about the reader of the connection would reveal nothing more: the
    /// process was inspected, or cannot be read.
    pub(crate) fn was_asked(&self) -> bool {
        self.process.is_unreadable || self.inspected().is_some()
    }

    /// Whether the latest inspection found no reader, and the connection is registered neither in
    /// an epoll instance nor with Go's poller. Only these two can show that a connection has no
    /// reader, so as long as it is registered with neither, no inspection leads to a verdict.
    pub(crate) fn is_out_of_sight(&self) -> bool {
        let facts = self.tracked.reader.as_deref().and_then(|seen| seen.facts.as_ref());
        facts.is_some_and(|facts| {
            facts.reader == Reader::Unknown && !facts.is_registered && facts.http.is_none()
        })
    }

    /// What is waiting to read data or EOF from the connection.
    pub(crate) fn reader(&self) -> Reader {
        let facts = self.inspected().and_then(|seen| seen.facts.as_ref());
        facts.map_or(Reader::Unknown, |facts| facts.reader)
    }

    /// The state of the connection in Go's HTTP client; `None` if it is not one of the client's
    /// connections.
    pub(crate) fn http(&self) -> Option<&'a HttpConnection> {
        self.inspected()?.facts.as_ref()?.http.as_ref()
    }

    /// Whether Go's HTTP client is waiting for the response to be read or closed, and no reader is
    /// waiting.
    pub(crate) fn awaits_body(&self) -> bool {
        self.reader() == Reader::None
            && self.http().is_some_and(|http| http.stage == HttpStage::AwaitingBody)
    }

    /// What can reach the response that has not been read to EOF or closed; `None` if there is no
    /// such response.
    pub(crate) fn reachability(&self) -> Option<&'a Reachability> {
        self.http().filter(|_| self.awaits_body()).map(|http| &http.reachability)
    }

    /// Whether something references the response that has not been read to EOF or closed.
    pub(crate) fn is_held(&self) -> bool {
        matches!(self.reachability(), Some(Reachability::Held(_)))
    }

    /// Whether a heap search confirmed a leaked response: it was neither read to EOF nor closed,
    /// no reader is waiting, and nothing in the program can reach it.
    pub(crate) fn is_confirmed(&self) -> bool {
        self.reachability() == Some(&Reachability::Dropped)
    }

    /// Like [`is_confirmed`](Self::is_confirmed), except that not everything could be searched for
    /// references.
    pub(crate) fn is_scan_incomplete(&self) -> bool {
        matches!(self.reachability(), Some(Reachability::Unknown | Reachability::NotOnStack))
    }

    /// Whether the leaked response is confirmed by heap search, and the process has sent nothing
    /// for `--idle`.
    pub(crate) fn is_confirmed_leak(&self) -> bool {
        self.is_confirmed() && self.is_overdue(self.sent_ms())
    }

    /// The selected open responses of the connection. A response that was requested before the
    /// connection was opened belonged to an earlier connection on the same file descriptor, and is
    /// left out.
    pub(crate) fn responses(&self) -> impl Iterator<Item = &'a Response> + use<'a> {
        let view = *self;
        let opened_after = self.tracked.opened_after();
        self.listed.iter().filter(move |response| {
            response.since >= opened_after
                && match view.selection {
                    ResponseSelection::All => true,
                    ResponseSelection::At(call_site) => view.call_site_of(response) == call_site,
                }
        })
    }

    /// Whether several responses may be open on the connection, each on a stream of its own
    /// (HTTP/2).
    pub(crate) fn is_multiplexed(&self) -> bool {
        self.responses().any(|response| response.stream.is_some())
    }

    /// The call site at which this response was requested.
    pub(crate) fn call_site_of(&self, response: &Response) -> Option<&'a str> {
        let process = self.tracked.owner()?.key;
        self.call_sites.call_site(process, response.stack?)
    }

    fn oldest_response(&self) -> Option<&'a Response> {
        self.responses().min_by_key(|response| response.since)
    }

    /// The stack at which the oldest open response was requested.
    pub(crate) fn response_stack(&self) -> Option<(ProcessKey, StackId)> {
        Some((self.tracked.owner()?.key, self.oldest_response()?.stack?))
    }

    /// The stack at which the open response was requested; without an open response, the stack at
    /// which the connection was opened.
    pub(crate) fn call_stack(&self) -> Option<(ProcessKey, StackId)> {
        // The connection may have been opened by different code from the code that requested the
        // response.
        if self.oldest_response().is_some() {
            return self.response_stack();
        }
        Some((self.tracked.opener?, self.tracked.stack?))
    }

    /// The call site of the open response or, without one, of the connection; `None` if it is
    /// unknown.
    pub(crate) fn call_site(&self) -> Option<&'a str> {
        if let ResponseSelection::At(call_site) = self.selection {
            return call_site;
        }
        let (process, stack) = self.call_stack()?;
        self.call_sites.call_site(process, stack)
    }

    /// Why [`call_site`](Self::call_site) is unknown; `None` if it is known.
    pub(crate) fn call_site_reason(&self) -> Option<&'a CallSiteReason> {
        if self.call_site().is_some() {
            return None;
        }
        match self.call_stack() {
            Some((process, stack)) => self.call_sites.reason(process, stack),
            None if self.may_predate_tracing() && self.oldest_response().is_none() => {
                Some(&CallSiteReason::OpenedBeforeTracing)
            }
            None => Some(&CallSiteReason::StackNotRecorded),
        }
    }

    /// Whether `milliseconds` exceed `--idle`, or the connection already has a verdict of its own:
    /// a connection that goes from one suspicious state to the next is not retracted in between. A
    /// connection that was used again after a pause of at least `--idle` is suspected only after
    /// three times that pause, but after an hour at the latest.
    pub(crate) fn is_overdue(&self, milliseconds: u64) -> bool {
        self.has_own_verdict() || milliseconds >= self.suspect_after_ms()
    }

    /// Like [`is_overdue`](Self::is_overdue), but ignores earlier pauses of the process: for rules
    /// about the peer.
    pub(crate) fn is_idle_over(&self, milliseconds: u64) -> bool {
        self.has_own_verdict() || milliseconds >= self.options.idle_ms
    }

    /// The time without use after which a connection is suspicious, in milliseconds.
    pub(crate) fn suspect_after_ms(&self) -> u64 {
        let (idle_ms, pause_ms) = (self.options.idle_ms, self.tracked.pause_max_ms);
        if pause_ms < idle_ms {
            return idle_ms;
        }
        idle_ms.max(pause_ms.saturating_mul(PAUSES).min(SUSPECT_AFTER_MAX_MS))
    }

    /// The highest confidence that a rule about the process may give the connection. The confidence
    /// of a capped connection does not rise above *possible*, or above the confidence that it had
    /// before.
    pub(crate) fn ceiling(&self) -> Confidence {
        match self.cap_reason {
            None => return Confidence::Certain,
            // It was *likely* only until the pool or the collector was recognized.
            Some(CapReason::Pool | CapReason::Collector) => return Confidence::Possible,
            Some(_) => {}
        }
        self.tracked
            .flag()
            .map_or(Confidence::Possible, |flag| flag.confidence.max(Confidence::Possible))
    }

    /// Whether the connection is capped and was at most *possible* before.
    pub(crate) fn is_capped(&self) -> bool {
        self.ceiling() <= Confidence::Possible
    }

    /// Whether the connection had a verdict above *possible*.
    pub(crate) fn was_likely(&self) -> bool {
        self.tracked.flag().is_some_and(|flag| flag.confidence > Confidence::Possible)
    }

    /// Whether the process was seen to read from the connection within `--idle`: it is slowly
    /// reading what a peer sent before it closed.
    pub(crate) fn is_being_read(&self) -> bool {
        self.tracked.read_at.is_some_and(|at| !self.is_overdue(self.now.ms_since(at)))
    }

    /// Whether the process is known to have been able to act on the connection: while a process is
    /// stopped, no confidence rises.
    pub(crate) fn can_run(&self) -> bool {
        let was_found = self.tracked.flag().is_some_and(|flag| {
            flag.verdict == Verdict::BodyNotClosed && flag.confidence >= Confidence::Likely
        });
        self.has_own_verdict() || was_found || !self.process.is_unidentified
    }

    /// Whether the connection was *likely* because it accumulated with others.
    pub(crate) fn has_accumulated(&self) -> bool {
        let flag = self.tracked.dead_flag();
        flag.is_some_and(|flag| flag.confidence >= Confidence::Likely)
            && !matches!(self.cap_reason, Some(CapReason::Pool | CapReason::Collector))
    }

    /// The earliest time at which the connection can have been opened, if that is known. For a
    /// connection that carried one request, the time of the request is used instead; if nothing was
    /// sent, the kernel still has the time of the opening.
    pub(crate) fn known_opening(&self) -> Option<Timestamp> {
        match self.tracked.origin {
            Origin::Traced => Some(self.tracked.opened_at),
            Origin::Seeded => {
                let is_unused = self.facts.data_segments_sent <= SEGMENTS_MAX;
                self.tracked.absent_at.max(self.facts.last_sent_at.filter(|_| is_unused))
            }
        }
    }

    /// Whether the current verdict is about the connection itself. Verdicts that say little about
    /// the connection, or that are at most *possible* for an open one, do not shorten the time in
    /// which it may turn out to be healthy. An open response has a time of its own, and says
    /// nothing about the connection once it was released.
    fn has_own_verdict(&self) -> bool {
        self.tracked.flag().is_some_and(|flag| match flag.verdict {
            Verdict::BodyNotClosed
            | Verdict::Growing
            | Verdict::NeverReused
            | Verdict::UnsharedPool
            | Verdict::PeerNotReading => false,
            Verdict::Abandoned | Verdict::Inherited | Verdict::Orphaned => {
                flag.confidence >= Confidence::Likely
            }
            Verdict::Ghost
            | Verdict::NeverRead
            | Verdict::CloseWait
            | Verdict::Undrained
            | Verdict::StalePool => true,
        })
    }
}
