//! Which of a rule's connections are judged together.
//!
//! A heap search splits the connections of a Go program into those whose response no code can
//! reach (*confirmed*), those whose response something references, and those where that is
//! unknown. A finding must not mix connections that the program may return to with confirmed ones,
//! and a few confirmed ones must not be lost among many others. So rules are applied to subsets:
//!
//! | subset | connections | judged if | effect |
//! | --- | --- | --- | --- |
//! | `NearlyConfirmed` | confirmed or referenced ones, those with an incomplete scan, and those whose reader is unknown | at least four fifths are confirmed, and that is enough | as the rule assesses confirmed connections |
//! | `ScanIncomplete` | confirmed ones, and those with an incomplete scan | the scan was incomplete for some | *likely* if `--min-count` are still accumulating |
//! | `Confirmed` | confirmed ones | there are enough of them | as the rule assesses confirmed connections |
//! | `Unconfirmed` | all but confirmed ones | always | never *certain* |
//! | `All` | all | always | as the rule assesses them |
//! | `Persisting` | those that were *likely* before, except those that Go's HTTP client has in its pool, or whose response something reads or references | always | at least *likely* |
//!
//! Rules that are defined with `Rule::selecting` select the subset in their own functions, and
//! decide themselves when it is judged: `abandoned` (`Confirmed`, `Unconfirmed`) and
//! `body_not_closed` (all but `ScanIncomplete`).
//!
//! Up to a fifth may be unconfirmed, because a stale word or garbage can keep a reference, and
//! connections may change during the inspection.

use super::{Assessment, Claimed, Rule, RuleId, RuleKey};
use crate::{Confidence, Interval, Reader, Verdict, connection_view::ConnectionView};

/// The subset of the claimed connections to which a rule is applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ScanSubset {
    /// The confirmed connections, plus a few unconfirmed ones.
    NearlyConfirmed,
    /// The connections that no goroutine is known to reference, including those for which the scan
    /// was incomplete.
    ScanIncomplete,
    /// The confirmed connections.
    Confirmed,
    /// All connections that the rule claims.
    All,
    /// The connections that were *likely* before, because of the same pattern.
    Persisting,
    /// The connections that are not confirmed.
    Unconfirmed,
}

impl ScanSubset {
    /// Whether a connection that a rule claims may belong to the subset.
    fn includes(self, view: &ConnectionView<'_>) -> bool {
        match self {
            Self::NearlyConfirmed => view.awaits_body() || view.reader() == Reader::Unknown,
            Self::ScanIncomplete => view.is_confirmed() || view.is_scan_incomplete(),
            Self::Confirmed => view.is_confirmed(),
            Self::All => true,
            Self::Persisting => {
                let is_unknown = view.http().is_none();
                let is_unreferenced = view.is_confirmed() || view.is_scan_incomplete();
                view.has_accumulated() && (is_unknown || is_unreferenced)
            }
            Self::Unconfirmed => !view.is_confirmed(),
        }
    }

    /// Whether the rule applies to this subset. Otherwise, the rule judges all connections that it
    /// claims by the other evidence about them.
    fn applies_to(self, claimed: &Claimed<'_, '_>) -> bool {
        match self {
            Self::NearlyConfirmed | Self::Confirmed => claimed.is_confirmed(),
            Self::ScanIncomplete => claimed.scan_incomplete() > 0,
            Self::All | Self::Persisting | Self::Unconfirmed => true,
        }
    }
}

impl Rule {
    /// Creates a rule for all connections that it claims, to any address.
    pub(super) const fn new(
        id: RuleId,
        claims: fn(&ConnectionView<'_>) -> bool,
        occurred: fn(&ConnectionView<'_>) -> Interval,
        assess: fn(&Claimed<'_, '_>) -> Option<Assessment>,
    ) -> Self {
        let (subset, is_restricted, is_single_address_only) = (ScanSubset::All, false, false);
        Self { id, subset, is_restricted, claims, occurred, assess, is_single_address_only }
    }

    /// This rule, for connections to one address only.
    pub(super) const fn single_address_only(self) -> Self {
        Self { is_single_address_only: true, ..self }
    }

    /// This rule, restricted to a subset of its connections.
    pub(super) const fn restricted_to(self, subset: ScanSubset) -> Self {
        Self { subset, is_restricted: true, ..self }
    }

    /// Creates a rule whose own functions select this subset.
    pub(super) const fn selecting(self, subset: ScanSubset) -> Self {
        Self { subset, ..self }
    }

    /// The rule's part in the identity of a finding. A nearly confirmed finding may be confirmed at
    /// the next judgment, and is the same finding.
    pub(crate) const fn key(&self) -> RuleKey {
        let subset = match self.subset {
            ScanSubset::NearlyConfirmed => ScanSubset::Confirmed,
            subset => subset,
        };
        RuleKey { id: self.id, subset, is_capped: false }
    }

    /// Whether this connection, taken alone, may have the rule's verdict.
    pub(crate) fn claims(&self, view: &ConnectionView<'_>) -> bool {
        (self.claims)(view) && (!self.is_restricted || self.subset.includes(view))
    }

    /// Assesses the claimed connections of one group; `None` if they are not a finding.
    pub(crate) fn assess(&self, claimed: &Claimed<'_, '_>) -> Option<Assessment> {
        if self.is_restricted && !self.subset.applies_to(claimed) {
            return None;
        }
        let assessment = (self.assess)(claimed)?;
        Some(match self.subset {
            ScanSubset::ScanIncomplete => raise_scan_incomplete(claimed, assessment),
            // Connections that accumulated remain leaked after the accumulation stops, until they
            // are closed or used.
            ScanSubset::Persisting => {
                let verdict = match (assessment.verdict, self.id) {
                    (Verdict::StalePool, RuleId::Ghost) => Verdict::Ghost,
                    (Verdict::StalePool, _) => Verdict::CloseWait,
                    (verdict, _) => verdict,
                };
                Assessment { verdict, ..assessment.at_least_likely() }
            }
            _ => assessment,
        })
    }
}

/// An incomplete scan that found no reference is weaker than a confirmation, but together with
/// occurrences at separate times it makes the finding *likely*.
fn raise_scan_incomplete(claimed: &Claimed<'_, '_>, assessment: Assessment) -> Assessment {
    let is_likely = claimed.count() >= claimed.options.count_min
        && claimed.is_still_accumulating()
        && !claimed.may_be_resumed()
        && assessment.confidence < Confidence::Likely;
    if !is_likely {
        return assessment;
    }
    Assessment { growth_raises_confidence: false, ..assessment.at_least_likely() }
}
