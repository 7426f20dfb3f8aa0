//! The connections of one group that have no verdict yet.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};

use crate::{
    ConnectionId,
    rules::{self, RULES},
    sighting::{Share, Sighting},
};

/// What is left of a group while one rule after the other takes what it is the surest of.
#[derive(Debug)]
pub(super) struct Left<'a> {
    entries: Vec<Entry<'a>>,
    /// Some connection has several.
    has_extra: bool,
}

/// A connection; one with responses of several call sites has an entry for each.
#[derive(Debug)]
struct Entry<'a> {
    sighting: Sighting<'a>,
    claims: Claims,
    /// The call site of its responses.
    site: Option<&'a str>,
    /// Another entry stands for the same connection to the rules that do not tell call sites apart.
    is_extra: bool,
}

impl<'a> Left<'a> {
    /// All of the group.
    pub(super) fn of(sightings: &[Sighting<'a>]) -> Self {
        let mut left = Self { entries: Vec::with_capacity(sightings.len()), has_extra: false };
        for sighting in sightings {
            let mut sites = sites(sighting).into_iter();
            match sites.next() {
                None => left.push(*sighting, None, false),
                Some(site) => {
                    left.push(Sighting { share: Share::Of(site), ..*sighting }, site, false);
                }
            }
            for site in sites {
                left.push(Sighting { share: Share::Of(site), ..*sighting }, site, true);
                left.has_extra = true;
            }
        }
        left
    }

    fn push(&mut self, sighting: Sighting<'a>, site: Option<&'a str>, is_extra: bool) {
        let claims = Claims::on(&sighting);
        let claims = if is_extra { claims.by_call_site() } else { claims };
        self.entries.push(Entry { sighting, claims, site, is_extra });
    }

    /// What the rule claims, together or by call site.
    pub(super) fn claimed(&self, rule: usize) -> Vec<(Option<&'a str>, Vec<Sighting<'a>>)> {
        let claimed = self.entries.iter().filter(|entry| entry.claims.include(rule));
        if rules::is_by_call_site(rule) {
            let mut parts: BTreeMap<Option<&'a str>, Vec<Sighting<'a>>> = BTreeMap::new();
            for entry in claimed {
                parts.entry(entry.site).or_default().push(entry.sighting);
            }
            return parts.into_iter().collect();
        }
        let members: Vec<Sighting<'a>> = claimed.map(|entry| entry.sighting).collect();
        Some((None, members)).filter(|(_, members)| !members.is_empty()).into_iter().collect()
    }

    /// Takes away what the rule claims, of these call sites if it tells them apart. What it leaves
    /// of the same connections are responses of other call sites, for no connection has two
    /// verdicts.
    pub(super) fn take(&mut self, rule: usize, sites: &BTreeSet<Option<&str>>) {
        let is_by_call_site = rules::is_by_call_site(rule);
        let is_taken = |entry: &Entry<'_>| {
            entry.claims.include(rule) && (!is_by_call_site || sites.contains(&entry.site))
        };
        let taken = self.entries.iter().filter(|entry| self.has_extra && is_taken(entry));
        let taken: BTreeSet<ConnectionId> = taken.map(|entry| entry.sighting.tracked.id).collect();
        self.entries.retain(|entry| !is_taken(entry));
        if is_by_call_site {
            for entry in &mut self.entries {
                if taken.contains(&entry.sighting.tracked.id) {
                    entry.claims = entry.claims.by_call_site();
                }
            }
        } else {
            self.entries.retain(|entry| !taken.contains(&entry.sighting.tracked.id));
        }
    }

    /// The connections that no rule has taken.
    pub(super) fn connections(self) -> Vec<Sighting<'a>> {
        let entries = self.entries.into_iter().filter(|entry| !entry.is_extra);
        entries.map(|entry| entry.sighting).collect()
    }
}

/// The call sites of a connection's leaked responses; `None` is one that is not known.
fn sites<'a>(sighting: &Sighting<'a>) -> BTreeSet<Option<&'a str>> {
    rules::leaked(sighting).map(|response| sighting.place(response)).collect()
}

/// The rules that claim one connection: a bit each.
#[derive(Clone, Copy, Debug)]
struct Claims(u32);

const _: () = assert!(RULES.len() <= 32, "more rules than a set of them has bits");

impl Claims {
    fn on(sighting: &Sighting<'_>) -> Self {
        let bits = RULES.iter().enumerate();
        Self(bits.fold(0, |set, (bit, rule)| set | (u32::from(rule.claims(sighting)) << bit)))
    }

    const fn include(self, rule: usize) -> bool {
        self.0 & (1 << rule) != 0
    }

    /// Those of them that tell call sites apart.
    fn by_call_site(self) -> Self {
        let kept = (0..RULES.len()).filter(|rule| rules::is_by_call_site(*rule));
        Self(kept.fold(0, |set, rule| set | (self.0 & (1 << rule))))
    }
}
