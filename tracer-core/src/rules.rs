//! The rules: one file per verdict, and what the verdicts share.
//!
//! A rule *claims* connections one by one and then *assesses* the claimed connections of one group
//! together. Each rule's module documents what it claims, what each confidence requires, and which
//! healthy programs look the same. The rules have an order of precedence: among assessments of the
//! same connection with equal confidence, the more specific one wins. Rules are named, so inserting
//! one changes nothing about the others.
//!
//! # Groups
//! Connections that share the process, the network namespace, the direction and the destination are
//! judged together. Outbound connections without a settled finding are judged again by remote port.
//! A finding by address is settled if it is *certain*, or if it is at least *possible* and has
//! [`count_min`](crate::Options::count_min) connections.
//!
//! # Terms
//! - `--idle`, `--min-count`, `--pool-size`, `--pool-idle`: the thresholds in
//!   [`Options`](crate::Options).
//! - *cluster*: a series of occurrences (such as the peer's FIN) without a pause of more than a
//!   twelfth of `--idle`. A series that lasts longer than `--idle` counts as one cluster per
//!   `--idle`.
//! - *dead*, *alive*, *clean-up*: see [`turnover`](crate::turnover).
//! - *at separate times*: in at least three clusters that are certainly separate and span at least
//!   `--idle`.
//! - *still accumulating*: the latest of those is no longer ago than twice their span or
//!   30 × `--idle`, whichever is longer.
//! - *accumulate*: see [`accumulation`].
//! - *a process at its fd limit*: see [`fd_limit`].
//! - *confirmed by heap search*: see [`scan_subset`].
//! - *read*: the application read from the socket, as two snapshots show by `copied_seq`.
//!
//! # What is capped
//! A healthy program could explain a *capped* connection. Its confidence is at most *possible*, or
//! what it was before, and it is judged separately from the others. Exceptions:
//! [`orphaned`], [`growing`] and [`peer_not_reading`], which do not depend on what the process
//! does.
//!
//! - *A connection of a process that may be waiting for other peers*: one for each such peer.
//!   - A *slow peer* accepted less than the process wrote within `--idle`. It caps another
//!     connection with unread data or a response or, if there is none, one whose peer has closed;
//!     the one that was last used at about the time when the process last wrote to the slow peer.
//!   - A *half-closed connection* (FIN_WAIT_2: the process has sent its FIN, the peer has not) caps
//!     a connection whose peer has closed, if the two FINs may have been within 2 s of each other.
//!     If there is none, it caps one that is confirmed by heap search.
//!   - A connection that was *likely* before is not capped: it was not waiting for a peer that
//!     became slow later.
//! - *A connection whose request may still be answered*: the peer has sent a FIN after it.
//! - *A connection that a pool may keep or a garbage collector may close*: see
//!   [`turnover`](crate::turnover). Its confidence falls to *possible* even if it was higher.
//! - *A connection of a process that is stopped* or frozen, and for an equal time after the process
//!   resumes (at most `--idle`).
//! - *A connection that was not inspected*: an answer about its reader is valid for at most
//!   `--idle`, as long as holders and byte counters have not changed since the inspection. An
//!   inspection that found out nothing counts as an answer.
//!
//! A process that is not yet known to be running gets no new findings. A connection that is used
//! again after a pause of at least `--idle` is claimed again only after three times that pause, but
//! after an hour at the latest. Growth ([`growing`]) raises most *possible* findings to *likely*.
#![allow(clippy::unnecessary_wraps, reason = "all rules have the same signature")]

pub mod abandoned;
pub mod accumulation;
pub mod body_not_closed;
mod claimed;
pub mod close_wait;
pub mod fd_limit;
pub mod ghost;
pub mod growing;
pub mod inherited;
pub mod never_read;
pub mod never_reused;
pub mod orphaned;
pub mod peer_not_reading;
mod rule_set;
pub mod scan_subset;
mod shared_evidence;
pub mod undrained;
pub mod unshared_pool;

use alloc::vec::Vec;

pub(crate) use accumulation::Accumulation;
pub(crate) use body_not_closed::leaked;
pub(crate) use claimed::{Claimed, ResponseCounts};
pub(crate) use rule_set::RuleSet;
pub(crate) use scan_subset::ScanSubset;

use crate::{
    Caveat, Confidence, Evidence, Interval, TcpState, Verdict, connection_view::ConnectionView,
};

/// The name of a rule.
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
    /// Whether the rule judges the responses of each call site separately.
    pub(crate) const fn is_by_call_site(self) -> bool {
        matches!(self, Self::BodyNotClosed)
    }

    /// Whether a rule that has no finding for some connections has none for them later either, as
    /// long as they do not change and it claims the same ones: time only lowers its confidence.
    const fn is_settled_at_once(self) -> bool {
        matches!(self, Self::NeverReused | Self::UnsharedPool)
    }

    /// Whether the rule is about what the process does. The others are about the peer, or only
    /// report a number.
    pub(crate) const fn is_about_the_process(self) -> bool {
        !matches!(self, Self::Orphaned | Self::PeerNotReading | Self::Growing)
    }
}

/// A rule and the subset of connections to which it is applied. Part of the identity of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RuleKey {
    pub(crate) id: RuleId,
    pub(crate) subset: ScanSubset,
    /// Whether the rule covers capped connections (ones that a healthy program could explain).
    pub(crate) is_capped: bool,
}

/// How one verdict is found.
#[derive(Debug)]
pub(crate) struct Rule {
    /// The name of the rule.
    pub(crate) id: RuleId,
    /// The subset of connections to which the rule is applied.
    pub(crate) subset: ScanSubset,
    /// `claims` and `assess` do not select the subset themselves: [`Rule::claims`] and
    /// [`Rule::assess`] do.
    is_restricted: bool,
    /// Whether this connection, taken alone, may have the verdict.
    claims: fn(&ConnectionView<'_>) -> bool,
    /// When the occurrence behind the verdict, such as the peer's FIN, happened to this connection.
    pub(crate) occurred: fn(&ConnectionView<'_>) -> Interval,
    /// Assesses the claimed connections of one group; `None` if they are not a finding.
    assess: fn(&Claimed<'_, '_>) -> Option<Assessment>,
    /// Whether the rule ignores groups of several addresses: programs commonly have one idle
    /// connection to each of many addresses.
    pub(crate) is_single_address_only: bool,
}

/// All rules, the most specific first.
pub(crate) const RULES: &[Rule] = &[
    body_not_closed::NEARLY_CONFIRMED,
    body_not_closed::SCAN_INCOMPLETE,
    body_not_closed::CONFIRMED,
    body_not_closed::UNCONFIRMED,
    ghost::RULE.restricted_to(ScanSubset::NearlyConfirmed),
    ghost::RULE.restricted_to(ScanSubset::ScanIncomplete),
    ghost::RULE.restricted_to(ScanSubset::Confirmed),
    ghost::RULE,
    ghost::RULE.restricted_to(ScanSubset::Persisting),
    never_read::RULE,
    never_read::RULE.restricted_to(ScanSubset::Persisting),
    inherited::RULE,
    close_wait::RULE.restricted_to(ScanSubset::NearlyConfirmed),
    close_wait::RULE.restricted_to(ScanSubset::ScanIncomplete),
    close_wait::RULE.restricted_to(ScanSubset::Confirmed),
    close_wait::RULE,
    close_wait::RULE.restricted_to(ScanSubset::Persisting),
    orphaned::RULE,
    abandoned::NEARLY_CONFIRMED,
    abandoned::SCAN_INCOMPLETE,
    abandoned::CONFIRMED,
    undrained::RULE.restricted_to(ScanSubset::NearlyConfirmed),
    undrained::RULE.restricted_to(ScanSubset::ScanIncomplete),
    undrained::RULE.restricted_to(ScanSubset::Confirmed),
    undrained::RULE,
    undrained::RULE.restricted_to(ScanSubset::Persisting),
    abandoned::UNCONFIRMED,
    unshared_pool::RULE,
    never_reused::RULE,
    peer_not_reading::RULE,
];

/// Why a question about a connection is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Suspicion {
    /// A rule claims the connection.
    Claimed,
    /// A rule would claim the connection if no reader were waiting.
    Silent,
}

/// Whether any rule claims this connection.
pub(crate) fn is_claimed(view: &ConnectionView<'_>) -> bool {
    // A restricted rule claims only what the same rule for all connections claims.
    RULES.iter().filter(|rule| !rule.is_restricted).any(|rule| rule.claims(view))
}

/// Whether a rule that claims this connection may have a finding about it later, although it has
/// none now.
pub(crate) fn is_claimed_for_later(view: &ConnectionView<'_>) -> bool {
    let rules = RULES.iter().filter(|rule| !rule.is_restricted && !rule.id.is_settled_at_once());
    rules.into_iter().any(|rule| rule.claims(view))
}

/// Whether a rule about the behavior of the process claims this connection, so that a cap
/// applies to it.
pub(crate) fn is_cappable(view: &ConnectionView<'_>) -> bool {
    RULES.iter().any(|rule| rule.id.is_about_the_process() && rule.claims(view))
}

/// Whether another inspection of the process matters for this connection although the latest answer
/// is still valid.
pub(crate) fn needs_another_inspection(view: &ConnectionView<'_>) -> bool {
    inherited::needs_another_inspection(view)
}

/// Why to ask questions about this connection; `None` if there is no reason.
pub(crate) fn suspicion(view: &ConnectionView<'_>) -> Option<Suspicion> {
    if is_claimed(view) {
        return Some(Suspicion::Claimed);
    }
    // An unread stream keeps receiving data, but nothing is sent on it any longer.
    let silent_ms = match view.facts.unread_bytes {
        0 => view.idle_ms(),
        _ => view.sent_ms(),
    };
    let is_silent = view.facts.state == TcpState::Established && view.is_overdue(silent_ms);
    is_silent.then_some(Suspicion::Silent)
}

/// Whether an inspection of the process matters for this connection even if the group has few
/// suspicious connections.
pub(crate) fn needs_inspection_alone(view: &ConnectionView<'_>) -> bool {
    inherited::RULE.claims(view) || body_not_closed::has_open_response(view)
}

/// The evidence and the caveats of an assessment.
#[derive(Debug, Default)]
pub(crate) struct Reasons {
    pub(crate) evidence: Vec<Evidence>,
    pub(crate) caveats: Vec<Caveat>,
}

/// A rule's conclusion about the connections that it claims.
#[derive(Debug)]
pub(crate) struct Assessment {
    pub(crate) verdict: Verdict,
    pub(crate) confidence: Confidence,
    /// Whether there are enough connections, of the right kind, for growth to raise the confidence.
    pub(crate) growth_raises_confidence: bool,
    pub(crate) reasons: Reasons,
}

impl Assessment {
    /// *Likely*, unless the confidence is higher.
    pub(crate) fn at_least_likely(mut self) -> Self {
        self.confidence = self.confidence.max(Confidence::Likely);
        self.reasons
            .caveats
            .retain(|it| !it.is_about_watching() && !matches!(it, Caveat::UsedAgain { .. }));
        self
    }
}
