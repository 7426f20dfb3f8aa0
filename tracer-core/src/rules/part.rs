//! Which of the connections of a rule are judged together: a finding must not convict connections
//! that somebody may come back to along with those of which it is proved that nobody will.

use super::{Assess, Assessment, Claimed, Claims, Moment, Rule};
use crate::{Confidence, Reader, sighting::Sighting};

/// The connections that a rule takes of those that it would claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// All of them.
    Whole,
    /// The proved ones, and the few beside them of which it could not be told.
    NearlyProven,
    /// Those of which nobody was found to have them in hand, where not everything was looked
    /// through.
    Unsearched,
    /// The proved ones.
    Proven,
}

impl Part {
    /// A connection with the proof, or without, may be of this part.
    fn includes(self, sighting: &Sighting<'_>) -> bool {
        match self {
            Self::Whole => true,
            Self::NearlyProven => sighting.awaits_body() || sighting.reader() == Reader::Unknown,
            Self::Unsearched => sighting.is_proven() || sighting.is_unsearched(),
            Self::Proven => sighting.is_proven(),
        }
    }
}

impl Rule {
    /// A rule for all that it claims, to whatever address.
    pub(super) const fn new(claims: Claims, moment: Moment, assess: Assess) -> Self {
        Self { claims, moment, assess, part: Part::Whole, is_of_one_address: false }
    }

    /// The same rule, for connections to one address only: to several, one each is how programs
    /// are made.
    pub(super) const fn of_one_address(self) -> Self {
        Self { is_of_one_address: true, ..self }
    }

    /// The same rule for a part of its connections.
    pub(super) const fn of(self, part: Part) -> Self {
        Self { part, ..self }
    }

    /// This connection, looked at alone, may be one of them.
    pub(crate) fn claims(&self, sighting: &Sighting<'_>) -> bool {
        (self.claims)(sighting) && self.part.includes(sighting)
    }

    /// What the claimed connections of one group amount to; `None` if to nothing. Where too little
    /// is proved, the whole is judged by what else is known of it.
    pub(crate) fn assess(&self, claimed: &Claimed<'_, '_>) -> Option<Assessment> {
        let is_judged = match self.part {
            Part::Whole => true,
            Part::NearlyProven | Part::Proven => claimed.is_proven(),
            Part::Unsearched => claimed.unsearched() > 0,
        };
        let assessment = is_judged.then(|| (self.assess)(claimed)).flatten()?;
        Some(if self.part == Part::Unsearched {
            unsearched(claimed, assessment)
        } else {
            assessment
        })
    }
}

/// What could not be looked through may be all that is missing from the proof. That they came one
/// after the other speaks for a leak, too; together it makes no more than *likely*.
fn unsearched(claimed: &Claimed<'_, '_>, assessment: Assessment) -> Assessment {
    let is_likely = claimed.count() >= claimed.options.count_min
        && claimed.rising()
        && !claimed.is_held_up()
        && assessment.confidence < Confidence::Likely;
    if !is_likely {
        return assessment;
    }
    Assessment { confidence: Confidence::Likely, growth_tells: false, ..assessment }
}
