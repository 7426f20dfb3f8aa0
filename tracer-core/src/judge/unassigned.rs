//! The connections of one group that have no verdict yet.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};

use crate::{
    ConnectionId,
    connection_view::{ConnectionView, ResponseSelection},
    rules::{self, Rule, RuleSet},
};

/// The rest of a group while one rule after another takes its connections.
#[derive(Debug)]
pub(super) struct Unassigned<'a> {
    entries: Vec<Entry<'a>>,
    /// Whether some connection has several entries.
    has_extra: bool,
}

/// An entry for a connection. A connection with responses of several call sites has an entry for
/// each.
#[derive(Debug)]
struct Entry<'a> {
    view: ConnectionView<'a>,
    claims: RuleSet,
    /// The rules about the process that claim the connection but do not judge it yet, because it is
    /// capped.
    withheld: RuleSet,
    /// The call site of the connection's responses.
    call_site: Option<&'a str>,
    /// Whether another entry represents the connection for rules that do not judge by call site.
    is_extra: bool,
}

impl<'a> Unassigned<'a> {
    /// Entries for all of these connections.
    pub(super) fn of(views: &[ConnectionView<'a>]) -> Self {
        let mut unassigned = Self { entries: Vec::with_capacity(views.len()), has_extra: false };
        for view in views {
            let at =
                |call_site| ConnectionView { selection: ResponseSelection::At(call_site), ..*view };
            let mut call_sites = call_sites(view).into_iter();
            match call_sites.next() {
                None => unassigned.push(*view, None, false),
                Some(call_site) => unassigned.push(at(call_site), call_site, false),
            }
            for call_site in call_sites {
                unassigned.push(at(call_site), call_site, true);
                unassigned.has_extra = true;
            }
        }
        unassigned
    }

    fn push(&mut self, view: ConnectionView<'a>, call_site: Option<&'a str>, is_extra: bool) {
        let claims = RuleSet::claiming(&view);
        let claims = if is_extra { claims.by_call_site() } else { claims };
        let about_the_process = claims.about_the_process();
        let withheld = if view.is_capped() { about_the_process } else { RuleSet::default() };
        let claims = claims.without(withheld);
        self.entries.push(Entry { view, claims, withheld, call_site, is_extra });
    }

    /// Whether some connection is withheld from a rule that claims it, because it is capped.
    pub(super) fn has_withheld(&self) -> bool {
        self.entries.iter().any(|entry| !entry.withheld.is_empty())
    }

    /// Leaves the capped connections to all rules that claim them.
    pub(super) fn release(&mut self) {
        for entry in &mut self.entries {
            entry.claims = entry.claims.and(core::mem::take(&mut entry.withheld));
        }
    }

    /// The entries that the rule claims: by call site if the rule judges by call site, else
    /// together.
    pub(super) fn claimed(
        &self,
        rule: &Rule,
        rank: usize,
    ) -> Vec<(Option<&'a str>, Vec<ConnectionView<'a>>)> {
        let claimed = self.entries.iter().filter(|entry| entry.claims.contains(rank));
        if rule.id.is_by_call_site() {
            let mut by_site: BTreeMap<Option<&'a str>, Vec<ConnectionView<'a>>> = BTreeMap::new();
            for entry in claimed {
                by_site.entry(entry.call_site).or_default().push(entry.view);
            }
            return by_site.into_iter().collect();
        }
        let members: Vec<ConnectionView<'a>> = claimed.map(|entry| entry.view).collect();
        Some((None, members)).filter(|(_, members)| !members.is_empty()).into_iter().collect()
    }

    /// Removes the connections that the rule claims; if it judges by call site, only those with
    /// these call sites. The remaining entries of the same connections are left to the rules that
    /// judge by call site, because no connection has two verdicts.
    pub(super) fn take(&mut self, rule: &Rule, rank: usize, call_sites: &BTreeSet<Option<&str>>) {
        let is_by_call_site = rule.id.is_by_call_site();
        let is_taken = |entry: &Entry<'_>| {
            entry.claims.contains(rank)
                && (!is_by_call_site || call_sites.contains(&entry.call_site))
        };
        let taken = self.entries.iter().filter(|entry| self.has_extra && is_taken(entry));
        let taken: BTreeSet<ConnectionId> = taken.map(|entry| entry.view.tracked.id).collect();
        self.entries.retain(|entry| !is_taken(entry));
        if is_by_call_site {
            for entry in &mut self.entries {
                if taken.contains(&entry.view.tracked.id) {
                    entry.claims = entry.claims.by_call_site();
                    entry.withheld = entry.withheld.by_call_site();
                }
            }
        } else {
            self.entries.retain(|entry| !taken.contains(&entry.view.tracked.id));
        }
    }

    /// The connections that no rule has taken.
    pub(super) fn connections(self) -> Vec<ConnectionView<'a>> {
        let entries = self.entries.into_iter().filter(|entry| !entry.is_extra);
        entries.map(|entry| entry.view).collect()
    }
}

/// The call sites of a connection's leaked responses; `None`: unknown ones.
fn call_sites<'a>(view: &ConnectionView<'a>) -> BTreeSet<Option<&'a str>> {
    rules::leaked(view).map(|response| view.call_site_of(response)).collect()
}
