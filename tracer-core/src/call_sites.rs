//! The call sites of stacks. Each stack is resolved once, and the answer is kept.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    string::String,
    vec::Vec,
};

use crate::{CallSite, CallSiteReason, ProcessKey, StackId, fair_queue::FairQueue};

/// The maximum number of stacks to resolve after one snapshot.
pub(crate) const QUESTIONS_MAX: usize = 64;
/// The maximum number of answers kept. A program makes requests from few call sites, each reached
/// by a few paths.
pub(crate) const CALL_SITES_MAX: usize = 4_096;

/// A stack and its process.
type ProcessStack = (ProcessKey, StackId);

/// The known call sites. Bounded by [`CALL_SITES_MAX`].
#[derive(Debug, Default)]
pub(crate) struct CallSites {
    known: BTreeMap<ProcessStack, Answer>,
    /// The stacks to resolve next.
    queue: FairQueue<ProcessStack>,
}

#[derive(Debug)]
struct Answer {
    location: Option<String>,
    reason: Option<CallSiteReason>,
}

impl CallSites {
    /// The stacks to resolve now: of those in `wanted` without an answer, the ones that have waited
    /// longest.
    pub(crate) fn ask(&mut self, wanted: &BTreeSet<ProcessStack>, round: u64) -> Vec<ProcessStack> {
        let unknown: Vec<ProcessStack> =
            wanted.iter().filter(|key| !self.known.contains_key(key)).copied().collect();
        if self.known.len() + unknown.len() > CALL_SITES_MAX {
            self.known.retain(|key, _| wanted.contains(key));
        }
        let room = CALL_SITES_MAX.saturating_sub(self.known.len()).min(QUESTIONS_MAX);
        self.queue.retain(|key| wanted.contains(key));
        self.queue.take(unknown, round, room)
    }

    /// The number of stacks that were not resolved after the latest snapshot because of the limit.
    pub(crate) const fn waiting(&self) -> usize {
        self.queue.waiting
    }

    /// Keeps an answer.
    pub(crate) fn remember(&mut self, answer: CallSite) {
        let key = (answer.process, answer.stack);
        if self.known.len() < CALL_SITES_MAX || self.known.contains_key(&key) {
            self.known.insert(key, Answer { location: answer.location, reason: answer.reason });
        }
    }

    /// Forgets the processes that are gone.
    pub(crate) fn retain(&mut self, exists: impl Fn(&ProcessKey) -> bool) {
        self.known.retain(|(process, _), _| exists(process));
    }

    /// `func file:line`, if it is known.
    pub(crate) fn call_site(&self, process: ProcessKey, stack: StackId) -> Option<&str> {
        self.known.get(&(process, stack))?.location.as_deref()
    }

    /// Why the call site of a stack is unknown; `None` if it is known.
    pub(crate) fn reason(&self, process: ProcessKey, stack: StackId) -> Option<&CallSiteReason> {
        let Some(answer) = self.known.get(&(process, stack)) else {
            return Some(&CallSiteReason::NotResolved);
        };
        match (&answer.location, &answer.reason) {
            (Some(_), _) => None,
            (None, Some(reason)) => Some(reason),
            (None, None) => Some(&CallSiteReason::NoApplicationFrame),
        }
    }

    /// The reasons of all stacks that were resolved without a call site, except those without a
    /// frame of the application.
    pub(crate) fn reasons(&self) -> impl Iterator<Item = &CallSiteReason> {
        let unknown = self.known.values().filter(|answer| answer.location.is_none());
        unknown.filter_map(|answer| answer.reason.as_ref())
    }
}
