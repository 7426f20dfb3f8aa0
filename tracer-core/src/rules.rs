//! The rules: one small pure file for each verdict.
//!
//! A rule *claims* connections one by one and then *assesses* the claimed connections of one group
//! together. Each rule's module documents what it claims, what each confidence takes, and which healthy
//! programs look alike. The rules have an order of precedence: among equally sure assessments of the
//! same connection, the more specific one wins. Rules are named, so inserting one changes nothing about
//! the others.
//!
//! # Groups
//! Connections are judged together that have the process, the network namespace, the direction and the
//! destination in common. Outbound connections that no settled finding has are judged once more by
//! remote port. A finding by address is settled if it is *certain*, or at least *possible* and of
//! [`count_min`](crate::Options::count_min) connections.
//!
//! # Terms
//! - `--idle`, `--min-count`, `--pool-size`, `--pool-idle`: the thresholds in
//!   [`Options`](crate::Options).
//! - *event*: what happened without a pause of more than a twelfth of `--idle`. What goes on for longer
//!   than `--idle` counts once per `--idle`.
//! - *at separate times*: at least three events that certainly are separate and span at least `--idle`.
//! - *keep happening at separate times*: the latest of those is at most twice their span ago, or thirty
//!   times `--idle`.
//! - *accumulate*: see [`accumulation`].
//! - *confirmed by goroutine scan*: see [`proof_subset`].
//! - *read*: the application read from the socket, as two snapshots show by `copied_seq`.
//!
//! # What is excused
//! A connection that is excused is at most *possible*, or as sure as it was before, and is judged apart
//! from the others. Exceptions: [`orphaned`], [`growing`] and [`peer_not_reading`], which do not depend
//! on what the process does.
//!
//! - *Who waits for others*, count for count: each peer that took less than the process wrote within
//!   `--idle` excuses one connection with unread data or a response, else one that the peer closed, first those that were left
//!   alone when a peer was. Each
//!   half-closed connection (FIN_WAIT_2: the process has sent its FIN, the peer has not) excuses one
//!   that the peer closed, if the two FINs were possibly within 2 s; one that is left over excuses one
//!   connection that is confirmed by goroutine scan. A connection that was *likely* before is not
//!   excused: it did not wait for a peer that became slow later.
//! - *A process that is stopped*, and one that runs again, for as long as it was stopped (at most
//!   `--idle`).
//! - *A connection that was not inspected*: an answer about its reader holds while owners and byte
//!   counters are as when it was read, for at most `--idle`. That an inspection found out nothing is an
//!   answer.
//!
//! Of a process of which it is not known yet whether it is stopped, nothing new is claimed. A connection
//! that is used again after a pause of at least `--idle` is claimed again only after three times that
//! pause, at most an hour. Growth ([`growing`]) makes most findings one level surer.
#![allow(clippy::unnecessary_wraps, reason = "all rules have the same signature")]

pub mod abandoned;
pub mod accumulation;
pub mod body_not_closed;
mod claimed;
pub mod close_wait;
pub mod ghost;
pub mod growing;
pub mod inherited;
pub mod never_read;
pub mod never_reused;
pub mod orphaned;
pub mod peer_not_reading;
pub mod proof_subset;
mod rule_set;
mod shared_evidence;
pub mod undrained;
pub mod unshared_pool;

use alloc::vec::Vec;

pub(crate) use accumulation::Accumulation;
pub(crate) use body_not_closed::leaked;
pub(crate) use claimed::{Claimed, Responses};
pub(crate) use proof_subset::ProofSubset;
pub(crate) use rule_set::RuleSet;

use crate::{
    Caveat, Confidence, Evidence, Interval, TcpState, Verdict, connection_view::ConnectionView,
};

/// Names a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum RuleId {
    BodyNotClosed,
    Ghost,
    NeverRead,
    Inherited,
    CloseWait,
    Orphaned,
    Abandoned,
    Undrained,
    UnsharedPool,
    NeverReused,
    PeerNotReading,
    Growing,
}

impl RuleId {
    /// The rule judges the responses of each call site on their own.
    pub(crate) const fn is_by_call_site(self) -> bool {
        matches!(self, Self::BodyNotClosed)
    }

    /// If the rule finds nothing in connections, it finds nothing in them later either, as long as they
    /// do not change and it claims the same ones: time makes it only less sure.
    const fn is_settled_at_once(self) -> bool {
        matches!(self, Self::NeverReused | Self::UnsharedPool)
    }

    /// The rule says that the process does not do what it should. The others judge the peer, or no
    /// more than a number.
    pub(crate) const fn is_about_the_process(self) -> bool {
        !matches!(self, Self::Orphaned | Self::PeerNotReading | Self::Growing)
    }
}

/// Names a rule and the subset of its connections that it is applied to. Part of the identity of a
/// finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RuleKey {
    pub(crate) id: RuleId,
    pub(crate) subset: ProofSubset,
    /// It is applied to connections that a healthy program explains.
    pub(crate) is_excused: bool,
}

/// How one verdict is found.
#[derive(Debug)]
pub(crate) struct Rule {
    /// Its name.
    pub(crate) id: RuleId,
    /// Which of its connections it is applied to.
    pub(crate) subset: ProofSubset,
    /// `claims` and `assess` do not select the subset themselves: [`Rule::claims`] and
    /// [`Rule::assess`] do.
    is_restricted: bool,
    /// Whether this connection, taken alone, may have the verdict.
    claims: fn(&ConnectionView<'_>) -> bool,
    /// When the event behind the verdict happened to this connection.
    pub(crate) occurred: fn(&ConnectionView<'_>) -> Interval,
    /// What the claimed connections of one group amount to; `None` for nothing.
    assess: fn(&Claimed<'_, '_>) -> Option<Assessment>,
    /// It says nothing of connections to several addresses: programs commonly have one idle
    /// connection to each.
    pub(crate) is_of_one_address: bool,
}

/// Every rule, the most specific first.
pub(crate) const RULES: &[Rule] = &[
    body_not_closed::NEARLY_CONFIRMED,
    body_not_closed::UNSEARCHED,
    body_not_closed::CONFIRMED,
    body_not_closed::UNCONFIRMED,
    ghost::RULE.restricted_to(ProofSubset::NearlyConfirmed),
    ghost::RULE.restricted_to(ProofSubset::Unsearched),
    ghost::RULE.restricted_to(ProofSubset::Confirmed),
    ghost::RULE,
    ghost::RULE.restricted_to(ProofSubset::Persisting),
    never_read::RULE,
    never_read::RULE.restricted_to(ProofSubset::Persisting),
    inherited::RULE,
    close_wait::RULE.restricted_to(ProofSubset::NearlyConfirmed),
    close_wait::RULE.restricted_to(ProofSubset::Unsearched),
    close_wait::RULE.restricted_to(ProofSubset::Confirmed),
    close_wait::RULE,
    close_wait::RULE.restricted_to(ProofSubset::Persisting),
    orphaned::RULE,
    abandoned::NEARLY_CONFIRMED,
    abandoned::UNSEARCHED,
    abandoned::CONFIRMED,
    undrained::RULE.restricted_to(ProofSubset::NearlyConfirmed),
    undrained::RULE.restricted_to(ProofSubset::Unsearched),
    undrained::RULE.restricted_to(ProofSubset::Confirmed),
    undrained::RULE,
    undrained::RULE.restricted_to(ProofSubset::Persisting),
    abandoned::UNCONFIRMED,
    unshared_pool::RULE,
    never_reused::RULE,
    peer_not_reading::RULE,
];

/// Why questions are asked about a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Suspicion {
    /// A rule claims it.
    Claimed,
    /// A rule would claim it if no reader waits.
    Silent,
}

/// Some rule claims this connection.
pub(crate) fn is_claimed(view: &ConnectionView<'_>) -> bool {
    // A restricted rule claims only what the same rule for all connections claims.
    RULES.iter().filter(|rule| !rule.is_restricted).any(|rule| rule.claims(view))
}

/// Some rule claims this connection that may find something later in what it finds nothing in now.
pub(crate) fn is_claimed_for_later(view: &ConnectionView<'_>) -> bool {
    let rules = RULES.iter().filter(|rule| !rule.is_restricted && !rule.id.is_settled_at_once());
    rules.into_iter().any(|rule| rule.claims(view))
}

/// Some rule claims this connection that judges what the process does.
pub(crate) fn is_accused(view: &ConnectionView<'_>) -> bool {
    RULES.iter().any(|rule| rule.id.is_about_the_process() && rule.claims(view))
}

/// Another inspection of the process matters for this connection, although the answer of the latest
/// one holds.
pub(crate) fn asks_again(view: &ConnectionView<'_>) -> bool {
    inherited::asks_again(view)
}

/// Why to ask questions about this connection; `None` if there is no reason.
pub(crate) fn suspicion(view: &ConnectionView<'_>) -> Option<Suspicion> {
    if is_claimed(view) {
        return Some(Suspicion::Claimed);
    }
    // An unread stream keeps receiving data, but nothing is sent on it any more.
    let silent_ms = match view.facts.unread_bytes {
        0 => view.idle_ms(),
        _ => view.sent_ms(),
    };
    let is_silent = view.facts.state == TcpState::Established && view.is_overdue(silent_ms);
    is_silent.then_some(Suspicion::Silent)
}

/// An inspection of the process matters for this connection even if there are few like it.
pub(crate) fn asks_alone(view: &ConnectionView<'_>) -> bool {
    inherited::RULE.claims(view) || body_not_closed::is_in_flight(view)
}

/// The facts of an assessment.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    pub(crate) evidence: Vec<Evidence>,
    pub(crate) caveats: Vec<Caveat>,
}

/// What a rule makes of the connections that it claims.
#[derive(Debug)]
pub(crate) struct Assessment {
    pub(crate) verdict: Verdict,
    pub(crate) confidence: Confidence,
    /// There are enough connections, of the right kind, for growth to make the finding surer.
    pub(crate) growth_counts: bool,
    pub(crate) facts: Facts,
}

impl Assessment {
    /// *Likely*, if it is no surer.
    pub(crate) fn at_least_likely(mut self) -> Self {
        self.confidence = self.confidence.max(Confidence::Likely);
        self.facts
            .caveats
            .retain(|it| !matches!(it, Caveat::Undecided { .. } | Caveat::UsedAgain { .. }));
        self
    }
}
