//! The stacks of connections and requests, kept as long as something refers to them.
//!
//! The BPF map has room only for a few seconds, so it is emptied at every reading of events. Its
//! content is kept here until no connection or response refers to it. Numbers are never reused, so
//! a number never refers to another stack.

use std::collections::{BTreeSet, HashMap};

use tracer_common::{StackKey, StackRecord};
use tracer_core::{StackId, Timestamp};
use tracer_inspect::process::user_stack::UserStack;

/// Maximum number of stacks kept: about 50 MB.
const KEPT_MAX: usize = 1 << 17;
/// Below this number, no stack is dropped.
const KEPT_MIN: usize = 4_096;
/// For this long after its last use, in milliseconds, a stack may still be referenced by an event
/// or an open response that has not been read yet.
const GRACE_MS: u64 = 10_000;

/// The stacks of one run, by the number that events and questions use for them.
#[derive(Debug)]
pub(crate) struct Stacks {
    numbers: HashMap<StackKey, StackId>,
    kept: HashMap<StackId, Kept>,
    next: StackId,
    /// Once there are this many stacks, those without a reference are dropped.
    due: usize,
    /// The number of stacks that did not fit here, or whose content does not match their key.
    lost: u64,
}

#[derive(Debug)]
struct Kept {
    /// The stack; `None` until it is taken from the BPF map.
    stack: Option<Box<UserStack>>,
    named_at: Timestamp,
}

impl Stacks {
    pub(crate) fn new() -> Self {
        Self {
            numbers: HashMap::new(),
            kept: HashMap::new(),
            next: StackId(0),
            due: KEPT_MIN,
            lost: 0,
        }
    }

    /// The number of a stack to which an event or an open response refers; `None` if there is
    /// no room for another stack.
    pub(crate) fn number(&mut self, key: StackKey, at: Timestamp) -> Option<StackId> {
        self.entry(key, at).map(|(number, _)| number)
    }

    /// Keeps a stack that was taken from the BPF map. It already has a number if an event that
    /// refers to it was read before.
    pub(crate) fn add(&mut self, key: StackKey, record: &StackRecord, at: Timestamp) {
        if record.hash() != key.hash {
            self.lost += 1;
            return;
        }
        if let Some((_, kept)) = self.entry(key, at) {
            kept.stack.get_or_insert_with(|| {
                Box::new(UserStack { addresses: record.frames().to_vec(), top: record.top() })
            });
        }
    }

    fn entry(&mut self, key: StackKey, at: Timestamp) -> Option<(StackId, &mut Kept)> {
        let known = self.numbers.get(&key).copied();
        let Some(number) = known.or_else(|| self.new_number(key)) else {
            self.lost += 1;
            return None;
        };
        let new = || Kept { stack: None, named_at: at };
        let kept = self.kept.entry(number).or_insert_with(new);
        kept.named_at = at;
        Some((number, kept))
    }

    /// A number for a new stack; `None` if there is no room, or no number left.
    fn new_number(&mut self, key: StackKey) -> Option<StackId> {
        let next = self.next.0.checked_add(1).filter(|_| self.kept.len() < KEPT_MAX)?;
        let number = std::mem::replace(&mut self.next, StackId(next));
        self.numbers.insert(key, number);
        Some(number)
    }

    /// The stack with this number; `None` if it was not kept.
    pub(crate) fn get(&self, number: StackId) -> Option<&UserStack> {
        self.kept.get(&number)?.stack.as_deref()
    }

    /// Whether enough stacks were added for [`retain`](Self::retain) to be worthwhile.
    pub(crate) fn is_due(&self) -> bool {
        self.kept.len() >= self.due
    }

    /// Drops the stacks that are not in `referenced`. It is due again once as many were added as
    /// remain.
    pub(crate) fn retain(&mut self, referenced: &BTreeSet<StackId>, at: Timestamp) {
        self.kept.retain(|number, kept| {
            referenced.contains(number) || at.ms_since(kept.named_at) < GRACE_MS
        });
        self.numbers.retain(|_, number| self.kept.contains_key(number));
        self.due = (self.kept.len() * 2).clamp(KEPT_MIN, KEPT_MAX);
    }

    /// The number of stacks lost here.
    pub(crate) const fn lost(&self) -> u64 {
        self.lost
    }
}

#[cfg(test)]
mod tests {
    use tracer_common::StackTop;

    use super::*;

    /// A stack of process 1 with this address, and its key.
    fn stack(address: u64) -> (StackKey, StackRecord) {
        let mut addresses = [0xdead; StackRecord::DEPTH_MAX];
        addresses[..2].copy_from_slice(&[0x1000, address]);
        let top = StackTop { instruction: 0x1000, words: [0; StackTop::WORDS] };
        let record = StackRecord { depth: 2, has_top: 0, top, addresses };
        (StackKey::new(1, record.hash()).unwrap(), record)
    }

    fn seconds(seconds: u64) -> Timestamp {
        Timestamp::from_ns(seconds * 1_000_000_000)
    }

    fn addresses(stacks: &Stacks, number: StackId) -> Option<&[u64]> {
        stacks.get(number).map(|stack| &*stack.addresses)
    }

    #[test]
    fn a_stack_may_come_before_or_after_the_event_that_names_it() {
        let mut stacks = Stacks::new();
        let (early, record) = stack(1);
        stacks.add(early, &record, seconds(0));
        let early = stacks.number(early, seconds(0)).unwrap();
        let (late, record) = stack(2);
        let number = stacks.number(late, seconds(0)).unwrap();
        assert_eq!(addresses(&stacks, number), None);
        stacks.add(late, &record, seconds(0));
        assert_eq!(stacks.number(late, seconds(1)), Some(number));
        assert_eq!(addresses(&stacks, number), Some(&[0x1000, 2][..]));
        assert_eq!(addresses(&stacks, early), Some(&[0x1000, 1][..]));
    }

    #[test]
    fn the_same_frames_of_two_processes_are_two_stacks() {
        let mut stacks = Stacks::new();
        let (key, _) = stack(1);
        let other = StackKey { pid: 2, ..key };
        assert_ne!(stacks.number(key, seconds(0)), stacks.number(other, seconds(0)));
    }

    #[test]
    fn the_words_of_the_top_and_the_depth_distinguish_stacks_and_old_content_does_not() {
        let hash = |depth, has_top, word| {
            let (_, mut record) = stack(1);
            (record.depth, record.has_top, record.top.words[15]) = (depth, has_top, word);
            record.hash()
        };
        let different = [hash(2, 0, 0), hash(3, 0, 0), hash(2, 1, 1), hash(2, 1, 2)];
        assert_eq!(BTreeSet::from(different).len(), different.len());
        assert_eq!(hash(2, 0, 1), hash(2, 0, 2));
    }

    #[test]
    fn content_that_does_not_belong_to_its_key_is_not_kept_and_counted() {
        let mut stacks = Stacks::new();
        let ((key, _), (_, other)) = (stack(1), stack(2));
        stacks.add(key, &other, seconds(0));
        let number = stacks.number(key, seconds(0)).unwrap();
        assert_eq!((addresses(&stacks, number), stacks.lost()), (None, 1));
    }

    #[test]
    fn a_stack_is_kept_while_it_is_referenced_or_was_named_recently() {
        let mut stacks = Stacks::new();
        let mut add = |address, at| {
            let (key, record) = stack(address);
            stacks.add(key, &record, seconds(at));
            stacks.number(key, seconds(at)).unwrap()
        };
        let (used, unused, recent) = (add(1, 0), add(2, 0), add(3, 15));
        stacks.retain(&[used].into(), seconds(20));
        let kept = [used, unused, recent].map(|number| stacks.get(number).is_some());
        assert_eq!(kept, [true, false, true]);
        // The same stack again gets another number, with the same content.
        let (key, record) = stack(2);
        let again = stacks.number(key, seconds(20)).unwrap();
        stacks.add(key, &record, seconds(20));
        assert!(![used, unused, recent].contains(&again));
        assert_eq!(addresses(&stacks, again), Some(&[0x1000, 2][..]));
        assert_eq!(addresses(&stacks, unused), None);
        assert_eq!(stacks.lost(), 0);
    }

    #[test]
    fn many_stacks_one_after_the_other_are_not_kept_for_ever() {
        let mut stacks = Stacks::new();
        let mut peak = 0;
        for address in 0..200_000 {
            // 200 per second.
            let at = seconds(address / 200);
            let (key, record) = stack(address);
            stacks.add(key, &record, at);
            if stacks.is_due() {
                stacks.retain(&BTreeSet::new(), at);
            }
            peak = peak.max(stacks.kept.len());
        }
        assert!(peak <= 3 * KEPT_MIN, "{peak}");
        assert_eq!((stacks.lost(), stacks.numbers.len()), (0, stacks.kept.len()));
    }

    #[test]
    fn what_finds_no_room_is_counted() {
        let mut stacks = Stacks::new();
        let key = |hash| StackKey::new(1, hash).unwrap();
        let max = u64::try_from(KEPT_MAX).unwrap();
        let numbers: Vec<_> = (1..=max).map(|hash| stacks.number(key(hash), seconds(0))).collect();
        assert!(numbers.iter().all(Option::is_some));
        assert_eq!(stacks.number(key(max + 1), seconds(0)), None);
        assert_eq!(stacks.number(key(max), seconds(0)), numbers[KEPT_MAX - 1]);
        assert_eq!(stacks.lost(), 1);
        assert!(stacks.is_due());
    }

    #[test]
    fn a_number_is_never_used_again() {
        let mut stacks = Stacks { next: StackId(u32::MAX), ..Stacks::new() };
        assert_eq!(stacks.number(stack(1).0, seconds(0)), None);
        assert_eq!(stacks.lost(), 1);
    }
}
