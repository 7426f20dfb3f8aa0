use crate::{
    Confidence, Direction, Held, HttpConnection, HttpStage, Interval, Options, Origin, Owner,
    ProcessFacts, ProcessKey, Reader, SocketFacts, StackId, Timestamp, Verdict,
    call_sites::CallSites, pages::Response, tracked::Tracked,
};

/// Ages by jiffies are coarse, 10 ms at the most, and so is their rate.
pub(crate) const JIFFIES_MARGIN_MS: u64 = 1_000;

/// One connection as the rules see it: what is known, and what time it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sighting<'a> {
    pub(crate) tracked: &'a Tracked,
    pub(crate) facts: &'a SocketFacts,
    pub(crate) direction: Direction,
    pub(crate) now: Timestamp,
    pub(crate) options: &'a Options,
    /// What is known of the accountable process beyond the connection itself.
    pub(crate) process: ProcessView<'a>,
    /// The responses on its descriptor that the ledger of that process lists.
    pub(crate) listed: &'a [Response],
    /// Which of those this is about.
    pub(crate) share: Share<'a>,
    /// Where in the code something was asked for.
    pub(crate) sites: &'a CallSites,
}

/// Which of a connection's responses are looked at: in HTTP/2 one connection has those of many
/// places in the code.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Share<'a> {
    /// All of them.
    Whole,
    /// Those that were asked for at this place; `None` is one that is not known.
    Of(Option<&'a str>),
}

/// What is known of the process that is accountable for a connection.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ProcessView<'a> {
    /// What `/proc` says of it, if that was asked.
    pub(crate) facts: Option<&'a ProcessFacts>,
    /// It has yet to be asked whether the process is stopped.
    pub(crate) is_unasked: bool,
    /// How long the host was suspended since it booted, in nanoseconds: start times count that,
    /// the clock of all other moments does not.
    pub(crate) suspended_ns: u64,
}

impl<'a> Sighting<'a> {
    /// When data was last sent or received; of a connection without any, when it was opened.
    pub(crate) fn last_used_at(&self) -> Timestamp {
        let last = self.facts.last_sent_at.max(self.facts.last_received_at);
        last.unwrap_or(self.tracked.opened_at)
    }

    /// Time since data was last sent or received; of a connection without any, its age.
    pub(crate) fn idle_ms(&self) -> u64 {
        self.now.ms_since(self.last_used_at())
    }

    /// The tool saw it open, so its age is exact.
    pub(crate) fn saw_open(&self) -> bool {
        self.tracked.origin == Origin::Traced
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

    /// This holder is younger than the connection, so it cannot have opened it; and nobody handed
    /// it over since, as far as was seen.
    pub(crate) fn is_heir(&self, holder: &Owner) -> bool {
        if self.tracked.handed_to.contains(&holder.key) {
            return false;
        }
        // What was not seen to open is dated by jiffies, and a program may connect as it starts.
        let margin_ms = if self.saw_open() { 0 } else { JIFFIES_MARGIN_MS };
        let began_at = holder.key.began_at(self.process.suspended_ns);
        began_at.before_ms(margin_ms) > self.tracked.opened_at
    }

    /// Who would notice data or the end.
    pub(crate) fn reader(&self) -> Reader {
        self.tracked.reader.as_ref().map_or(Reader::Unknown, |seen| seen.facts.reader)
    }

    /// What Go's HTTP client does with it.
    pub(crate) fn http(&self) -> Option<&'a HttpConnection> {
        self.tracked.reader.as_ref()?.facts.http.as_ref()
    }

    /// Go's HTTP client waits for somebody to read the response or to close it, and nobody reads.
    pub(crate) fn awaits_body(&self) -> bool {
        self.reader() == Reader::None
            && self.http().is_some_and(|http| http.stage == HttpStage::AwaitingBody)
    }

    /// Who has the response that waits for somebody to read it or to close it, and that nobody
    /// reads; `None` if there is none.
    pub(crate) fn held(&self) -> Option<Held> {
        self.http().filter(|_| self.awaits_body()).map(|http| http.held)
    }

    /// The proof of a leaked response: it waits, nobody reads, and no goroutine has it in hand.
    pub(crate) fn is_proven(&self) -> bool {
        self.held() == Some(Held::Nobody)
    }

    /// The same, but for a goroutine that could not be looked at and may have it in hand.
    pub(crate) fn is_unsearched(&self) -> bool {
        self.held() == Some(Held::Unknown)
    }

    /// It is proved, and the time T is over.
    pub(crate) fn is_proven_leak(&self) -> bool {
        self.is_proven() && self.overdue(self.sent_ms())
    }

    /// The responses that are out on it, of its share. One that was asked for before the connection
    /// was opened was on another one, whose descriptor was used again.
    pub(crate) fn responses(&self) -> impl Iterator<Item = &'a Response> + use<'a> {
        let sighting = *self;
        let opened_after = self.tracked.opened_after();
        self.listed.iter().filter(move |response| {
            response.since >= opened_after
                && match sighting.share {
                    Share::Whole => true,
                    Share::Of(place) => sighting.place(response) == place,
                }
        })
    }

    /// Several responses may be out on it, each on a stream of its own (HTTP/2).
    pub(crate) fn is_multiplexed(&self) -> bool {
        self.responses().any(|response| response.stream.is_some())
    }

    /// Where in the code this response was asked for.
    pub(crate) fn place(&self, response: &Response) -> Option<&'a str> {
        let process = self.tracked.accountable()?.key;
        self.sites.place(process, response.stack?)
    }

    /// Whose stack tells where the oldest of the responses that are out was asked for.
    pub(crate) fn response_stack(&self) -> Option<(ProcessKey, StackId)> {
        let oldest = self.responses().min_by_key(|response| response.since)?;
        Some((self.tracked.accountable()?.key, oldest.stack?))
    }

    /// Whose stack tells where the response was asked for, else where the connection was opened.
    pub(crate) fn call_stack(&self) -> Option<(ProcessKey, StackId)> {
        let opened = || Some((self.tracked.opener?, self.tracked.stack?));
        self.response_stack().or_else(opened)
    }

    /// The line of code that is answerable, as far as it is known.
    pub(crate) fn call_site(&self) -> Option<&'a str> {
        if let Share::Of(place) = self.share {
            return place;
        }
        let (process, stack) = self.call_stack()?;
        self.sites.place(process, stack)
    }

    /// The time T is over; or the connection itself was found bad already, so that one that goes
    /// from one bad state to the next is not taken back in between.
    pub(crate) fn overdue(&self, milliseconds: u64) -> bool {
        self.is_bad() || milliseconds >= self.options.idle_ms
    }

    /// The process was seen to read within T: a slow reader of what a peer left that is gone.
    pub(crate) fn is_being_read(&self) -> bool {
        self.tracked.read_at.is_some_and(|at| !self.overdue(self.now.ms_since(at)))
    }

    /// The process could act on the connection if it wanted to, as far as can be known. What was
    /// found before a process was stopped stays.
    pub(crate) fn is_free_to_act(&self) -> bool {
        let is_stopped = self.process.facts.is_some_and(|facts| facts.stopped);
        let was_found = self.tracked.flag().is_some_and(|flag| {
            flag.verdict == Verdict::BodyNotClosed && flag.confidence >= Confidence::Likely
        });
        self.is_bad() || was_found || !(is_stopped || self.process.is_unasked)
    }

    fn is_bad(&self) -> bool {
        // What says little of the connection itself, or is no more than possible for an open one,
        // does not shorten the time in which it may turn out healthy. A response that is out says
        // for itself since when, and nothing of the connection once it was given back.
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
