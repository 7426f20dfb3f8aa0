//! One small pure file per verdict.
//!
//! A rule *claims* connections one by one and then *assesses* those of one group together.
//! One connection has one verdict: of the rules that claim it, that of the surest assessment, and
//! of equally sure ones that of the most specific rule, in whose order they stand.
#![allow(clippy::unnecessary_wraps, reason = "all rules have the same form")]

mod abandoned;
mod body_not_closed;
mod close_wait;
mod ghost;
pub(crate) mod growing;
mod inherited;
mod never_read;
mod never_reused;
mod orphaned;
mod part;
mod peer_not_reading;
mod undrained;
mod unshared_pool;
mod wording;

use alloc::{string::String, vec::Vec};

use crate::{
    Confidence, Held, Interval, Options, ProcessFacts, TcpState, Timestamp, Verdict,
    moments::Moments, sighting::Sighting,
};

/// How one verdict is found.
#[derive(Debug)]
pub(crate) struct Rule {
    /// This connection, looked at alone, may be one of them.
    pub(crate) claims: Claims,
    /// When what the verdict is about happened to this connection.
    pub(crate) moment: Moment,
    /// What the claimed connections of one group amount to; `None` if to nothing.
    pub(crate) assess: Assess,
    /// Of which of them.
    pub(crate) part: Part,
    /// It says nothing of connections to several addresses together.
    pub(crate) is_of_one_address: bool,
}

type Claims = fn(&Sighting<'_>) -> bool;
type Moment = fn(&Sighting<'_>) -> Interval;
type Assess = fn(&Claimed<'_, '_>) -> Option<Assessment>;

/// Every rule, the most specific first.
pub(crate) const RULES: [Rule; 26] = [
    body_not_closed::NEARLY_PROVEN,
    body_not_closed::UNSEARCHED,
    body_not_closed::PROVEN,
    body_not_closed::UNPROVEN,
    ghost::RULE.of(Part::NearlyProven),
    ghost::RULE.of(Part::Unsearched),
    ghost::RULE.of(Part::Proven),
    ghost::RULE,
    never_read::RULE,
    inherited::RULE,
    close_wait::RULE.of(Part::NearlyProven),
    close_wait::RULE.of(Part::Unsearched),
    close_wait::RULE.of(Part::Proven),
    close_wait::RULE,
    orphaned::RULE,
    abandoned::NEARLY_PROVEN,
    abandoned::UNSEARCHED,
    abandoned::PROVEN,
    undrained::RULE.of(Part::NearlyProven),
    undrained::RULE.of(Part::Unsearched),
    undrained::RULE.of(Part::Proven),
    undrained::RULE,
    abandoned::UNPROVEN,
    unshared_pool::RULE,
    never_reused::RULE,
    peer_not_reading::RULE,
];

/// By which rule a finding is known: what is nearly proved today may be proved tomorrow, and is
/// the same finding.
pub(crate) const fn identity(rule: usize) -> usize {
    // The ones that are wholly proved come two later; growth alone is no part of anything.
    if rule < RULES.len() && matches!(RULES[rule].part, Part::NearlyProven) {
        rule + 2
    } else {
        rule
    }
}

/// Whether this rule judges the connections of each call site for themselves: those about responses
/// do, which are the first ones.
pub(crate) const fn is_by_call_site(rule: usize) -> bool {
    rule < 4
}

/// Why a connection is worth a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Suspicion {
    /// Some rule claims it.
    Claimed,
    /// Some rule would if nobody waited for it.
    Silent,
}

/// Whether some rule claims this connection.
pub(crate) fn is_claimed(sighting: &Sighting<'_>) -> bool {
    RULES.iter().any(|rule| rule.claims(sighting))
}

/// Whether there is something to ask about this connection.
pub(crate) fn suspicion(sighting: &Sighting<'_>) -> Option<Suspicion> {
    if is_claimed(sighting) {
        return Some(Suspicion::Claimed);
    }
    // A stream that nobody reads goes on to arrive, but nothing is asked on it any more.
    let silent_ms = match sighting.facts.unread_bytes {
        0 => sighting.idle_ms(),
        _ => sighting.sent_ms(),
    };
    let is_silent = sighting.facts.state == TcpState::Established && sighting.overdue(silent_ms);
    is_silent.then_some(Suspicion::Silent)
}

/// What a look into the process says about this connection matters however few there are of them.
pub(crate) fn asks_alone(sighting: &Sighting<'_>) -> bool {
    (inherited::RULE.claims)(sighting) || body_not_closed::is_out(sighting)
}

/// The responses that were neither read to the end nor closed.
pub(crate) use body_not_closed::leaked;

/// The process waits for the peer to read what it sent.
pub(crate) use peer_not_reading::is_stalled;

pub(crate) use body_not_closed::Responses;
pub(crate) use part::Part;

/// One in this many at the most may look as if somebody had the response in hand, for a goroutine's
/// stack keeps what is in a slot until something else is put there; or not have been looked at, for
/// it changed meanwhile.
const UNSURE_SHARE: usize = 5;

/// The connections of one group that one rule claimed; never empty.
#[derive(Debug)]
pub(crate) struct Claimed<'c, 'a> {
    pub(crate) members: Vec<Sighting<'a>>,
    pub(crate) moments: Moments,
    /// All connections of the group, claimed or not.
    pub(crate) group: &'c [Sighting<'a>],
    /// They go to many addresses. What a pool may keep, it may keep of each.
    pub(crate) is_spread: bool,
    /// What is known of the responses of the group, claimed or not.
    pub(crate) responses_of_group: Responses,
    /// Connections of the process, of any group, on which it waits for the peer to read.
    pub(crate) stalled: usize,
    /// Those that were opened by a process that still runs, as far as is known: it holds sockets.
    pub(crate) openers: usize,
    /// What `/proc` says of the process, if it was asked.
    pub(crate) process: Option<&'a ProcessFacts>,
    pub(crate) options: &'a Options,
    pub(crate) now: Timestamp,
}

/// What a rule makes of a group.
#[derive(Debug)]
pub(crate) struct Assessment {
    pub(crate) verdict: Verdict,
    pub(crate) confidence: Confidence,
    /// The finding is of enough and of the right kind for growth to make it surer.
    pub(crate) growth_tells: bool,
    /// One sentence each, without a full stop.
    pub(crate) evidence: Vec<String>,
}

impl<'a> Claimed<'_, 'a> {
    /// More than this many dead connections are more than a pool keeps by oversight.
    pub(crate) const fn pool_max(&self) -> usize {
        self.options.pool_size
    }

    /// And more than this many are more than a large pool does when it ebbs.
    pub(crate) const fn large_pool_max(&self) -> usize {
        self.options.pool_size.saturating_mul(2)
    }

    pub(crate) fn count(&self) -> usize {
        self.members.len()
    }

    pub(crate) fn count_where(&self, test: impl Fn(&Sighting<'a>) -> bool) -> usize {
        self.members.iter().filter(|member| test(member)).count()
    }

    /// Those of which it is proved that nobody will read or close the response.
    pub(crate) fn proven(&self) -> usize {
        self.count_where(Sighting::is_proven)
    }

    /// Enough are proved to be leaked, of these or of the group, where a leak has come to be in
    /// several states; and hardly any of these are not.
    pub(crate) fn is_proven(&self) -> bool {
        let (count, proven) = (self.count(), self.proven());
        let is_nearly_all = (count - proven) * UNSURE_SHARE <= count;
        is_nearly_all && self.is_enough(proven, count, self.responses_of_group.proven)
    }

    /// So many of these are enough; or if they are most of these, so many of the group.
    fn is_enough(&self, some: usize, of: usize, in_group: usize) -> bool {
        let enough = self.options.count_min;
        some >= enough || (some > 0 && 2 * some >= of && in_group >= enough)
    }

    /// The response of this many waits, and some goroutine still has it in hand.
    pub(crate) fn held(&self) -> usize {
        self.count_where(|member| member.held() == Some(Held::Somebody))
    }

    /// The response of this many waits, and not everything could be looked through for who has it.
    pub(crate) fn unsearched(&self) -> usize {
        self.count_where(Sighting::is_unsearched)
    }

    /// The process may well come back to most of them: it has them in hand, or has to wait for
    /// its own slow clients before it can read on.
    pub(crate) fn is_held_up(&self) -> bool {
        let unread = self.count_where(|member| member.facts.unread_bytes > 0);
        2 * self.held() > self.count() || (2 * unread > self.count() && self.stalled >= unread)
    }

    pub(crate) fn gathered(&self) -> bool {
        self.moments.gathered(self.options.idle_ms)
    }

    /// They came to be one after the other, and are more than a pool keeps. Those that were `left`
    /// served once; of `all`, which were in use before, a pool may have one for each of many
    /// threads.
    pub(crate) fn accumulated(&self, left: usize, all: usize) -> bool {
        let is_more = (left > self.pool_max() && self.rising())
            || (left > self.large_pool_max() && self.gathered())
            || (all > self.large_pool_max().saturating_mul(2) && self.gathered());
        is_more && !self.is_spread
    }

    pub(crate) fn rising(&self) -> bool {
        self.moments.rising(self.options.idle_ms, self.now)
    }

    /// The least and the greatest of a duration over the members.
    pub(crate) fn range_ms(&self, duration: impl Fn(&Sighting<'a>) -> u64) -> (u64, u64) {
        self.members
            .iter()
            .map(duration)
            .fold((u64::MAX, 0), |(least, greatest), value| (least.min(value), greatest.max(value)))
    }
}
