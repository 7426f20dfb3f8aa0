//! Which lines of code the stacks are about: asked for once, and remembered.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    string::String,
    vec::Vec,
};

use crate::{CallSite, ProcessKey, StackId, turns::Turns};

/// Most stacks that are asked about after one snapshot.
pub(crate) const QUESTIONS_MAX: usize = 64;
/// Most answers that are remembered. A program has few places that make requests, each reached in a
/// few ways.
pub(crate) const SITES_MAX: usize = 4_096;

/// A stack, with the process that it is of.
type Site = (ProcessKey, StackId);

/// The places that are known. Bounded.
#[derive(Debug, Default)]
pub(crate) struct CallSites {
    known: BTreeMap<Site, Answer>,
    /// Whose turn it is to be asked about.
    turns: Turns<Site>,
}

#[derive(Debug)]
struct Answer {
    place: Option<String>,
    limits: Option<String>,
}

impl CallSites {
    /// The stacks of these to ask about now: those without an answer.
    pub(crate) fn ask(&mut self, wanted: &BTreeSet<Site>, round: u64) -> BTreeSet<Site> {
        let unknown: Vec<Site> =
            wanted.iter().filter(|site| !self.known.contains_key(site)).copied().collect();
        if self.known.len() + unknown.len() > SITES_MAX {
            self.known.retain(|site, _| wanted.contains(site));
        }
        let room = SITES_MAX.saturating_sub(self.known.len()).min(QUESTIONS_MAX);
        self.turns.retain(|site| wanted.contains(site));
        self.turns.take(unknown, round, room)
    }

    /// Stacks that had to wait at the latest look, for there were too many.
    pub(crate) const fn waiting(&self) -> usize {
        self.turns.waiting
    }

    /// Takes in an answer.
    pub(crate) fn remember(&mut self, answer: CallSite) {
        let site = (answer.process, answer.stack);
        if self.known.len() < SITES_MAX || self.known.contains_key(&site) {
            self.known.insert(site, Answer { place: answer.place, limits: answer.limits });
        }
    }

    /// Forgets the processes that are gone.
    pub(crate) fn retain(&mut self, is_there: impl Fn(&ProcessKey) -> bool) {
        self.known.retain(|(process, _), _| is_there(process));
    }

    /// `func file:line`, if it is known.
    pub(crate) fn place(&self, process: ProcessKey, stack: StackId) -> Option<&str> {
        self.known.get(&(process, stack))?.place.as_deref()
    }

    /// Why there is no place, of each stack that has none.
    pub(crate) fn limits(&self) -> impl Iterator<Item = &str> {
        let nowhere = self.known.values().filter(|answer| answer.place.is_none());
        nowhere.filter_map(|answer| answer.limits.as_deref())
    }
}
