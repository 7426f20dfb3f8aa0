//! One small pure file per verdict.
//!
//! A rule *claims* connections one by one and then *assesses* those of one group together.
//! The rules stand in order of how specific they are, and the first one that claims a connection
//! has it: one connection, one verdict.

mod close_wait;
mod ghost;
pub(crate) mod growing;
mod never_read;
mod undrained;
mod wording;

use alloc::{string::String, vec::Vec};

use crate::{
    Confidence, Interval, Options, Timestamp, Verdict, moments::Moments, sighting::Sighting,
};

/// How one verdict is found.
#[derive(Debug)]
pub(crate) struct Rule {
    /// This connection, looked at alone, may be one of them.
    pub(crate) claims: fn(&Sighting<'_>) -> bool,
    /// When what the verdict is about happened to this connection.
    pub(crate) moment: fn(&Sighting<'_>) -> Interval,
    /// What the claimed connections of one group amount to.
    pub(crate) assess: fn(&Claimed<'_>) -> Assessment,
}

/// Every rule, the most specific first.
pub(crate) const RULES: [Rule; 4] =
    [ghost::RULE, never_read::RULE, close_wait::RULE, undrained::RULE];

/// The connections of one group that one rule claimed; never empty.
#[derive(Debug)]
pub(crate) struct Claimed<'a> {
    pub(crate) members: Vec<Sighting<'a>>,
    pub(crate) moments: Moments,
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

impl Claimed<'_> {
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

    pub(crate) fn count_where(&self, test: impl Fn(&Sighting<'_>) -> bool) -> usize {
        self.members.iter().filter(|member| test(member)).count()
    }

    pub(crate) fn gathered(&self) -> bool {
        self.moments.gathered(self.options.idle_ms)
    }

    pub(crate) fn rising(&self) -> bool {
        self.moments.rising(self.options.idle_ms, self.now)
    }

    /// The least and the greatest of a duration over the members.
    pub(crate) fn range_ms(&self, duration: impl Fn(&Sighting<'_>) -> u64) -> (u64, u64) {
        self.members
            .iter()
            .map(duration)
            .fold((u64::MAX, 0), |(least, greatest), value| (least.min(value), greatest.max(value)))
    }
}
