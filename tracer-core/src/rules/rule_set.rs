//! A set of rules, such as those that claim a connection.

use super::{RULES, Rule};
use crate::connection_view::ConnectionView;

/// A set of rules: a bit for each rule, by its position in [`RULES`]. It is valid for one judgment
/// only.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct RuleSet(u32);

const _: () = assert!(RULES.len() <= 32, "there are more rules than bits");

impl RuleSet {
    /// The rules that claim a connection.
    pub(crate) fn claiming(view: &ConnectionView<'_>) -> Self {
        Self::of(|rule| rule.claims(view))
    }

    fn of(is_in: impl Fn(&Rule) -> bool) -> Self {
        let bits = RULES.iter().zip(0..).map(|(rule, rank)| u32::from(is_in(rule)) << rank);
        Self(bits.fold(0, |set, bit| set | bit))
    }

    /// Whether the rule at this position is in the set.
    pub(crate) const fn contains(self, rank: usize) -> bool {
        self.0 & (1 << rank) != 0
    }

    /// The rules of this set that are about what the process does.
    pub(crate) fn about_the_process(self) -> Self {
        Self(self.0 & Self::of(|rule| rule.id.is_about_the_process()).0)
    }

    /// The rules of this set that are not in the other set.
    pub(crate) const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// The rules that are in this set or in the other one.
    pub(crate) const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether no rule is in the set.
    pub(crate) const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The rules of this set that judge each call site separately.
    pub(crate) fn by_call_site(self) -> Self {
        Self(self.0 & Self::of(|rule| rule.id.is_by_call_site()).0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Therefore the restricted rules need not be asked whether any rule claims a connection.
    #[test]
    fn every_restricted_rule_is_also_applied_to_all_connections() {
        let whole = |id| RULES.iter().any(|rule| !rule.is_restricted && rule.id == id);
        let restricted: alloc::vec::Vec<&Rule> =
            RULES.iter().filter(|rule| rule.is_restricted).collect();
        assert!(!restricted.is_empty());
        assert!(restricted.iter().all(|rule| whole(rule.id)), "{restricted:?}");
    }
}
