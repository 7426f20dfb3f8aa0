//! The processes that own connections, and when each process or one of its connections last
//! changed.
//!
//! Most connections of a busy host have not changed since the previous snapshot. Results derived
//! from all connections of one process are therefore kept ([`Derived`]) until one of the
//! connections changes, or until a time that matters for one of them.

use alloc::vec::Vec;

use foldhash::fast::FixedState;
use indexmap::IndexMap;

use crate::{ProcessKey, Timestamp};

/// The number of a process. It is small, because it is stored with each connection. The number of a
/// process that no longer has connections is reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ProcessNumber(u32);

impl ProcessNumber {
    fn index(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

/// The processes that own connections.
#[derive(Debug)]
pub(crate) struct ProcessIndex {
    /// The hash needs no secret: pids and start times are assigned by the kernel.
    numbers: IndexMap<ProcessKey, ProcessNumber, FixedState>,
    processes: Vec<Process>,
    free: Vec<ProcessNumber>,
    /// Sequence number of the latest change of any process.
    revision: u64,
}

#[derive(Debug)]
struct Process {
    key: ProcessKey,
    connections: usize,
    /// Sequence number of the latest change of the process.
    revision: u64,
}

impl ProcessIndex {
    /// An index without processes.
    pub(crate) const fn new() -> Self {
        Self {
            numbers: IndexMap::with_hasher(FixedState::with_seed(0)),
            processes: Vec::new(),
            free: Vec::new(),
            revision: 0,
        }
    }

    /// Adds a connection to those of a process, which is a change, and returns the number of the
    /// process.
    pub(crate) fn join(&mut self, key: ProcessKey) -> Option<ProcessNumber> {
        let number = match self.numbers.get(&key) {
            Some(number) => *number,
            None => self.add(key)?,
        };
        if let Some(process) = self.processes.get_mut(number.index()) {
            process.connections += 1;
        }
        self.touch(number);
        Some(number)
    }

    fn add(&mut self, key: ProcessKey) -> Option<ProcessNumber> {
        let process = Process { key, connections: 0, revision: 0 };
        let number = if let Some(number) = self.free.pop() {
            *self.processes.get_mut(number.index())? = process;
            number
        } else {
            let number = ProcessNumber(u32::try_from(self.processes.len()).ok()?);
            self.processes.push(process);
            number
        };
        self.numbers.insert(key, number);
        Some(number)
    }

    /// Removes a connection from those of a process, which is a change.
    pub(crate) fn leave(&mut self, number: ProcessNumber) {
        self.touch(number);
        let Some(process) = self.processes.get_mut(number.index()) else { return };
        process.connections = process.connections.saturating_sub(1);
        if process.connections == 0 {
            self.numbers.swap_remove(&process.key);
            self.free.push(number);
        }
    }

    /// Records that a process or one of its connections has changed.
    pub(crate) fn touch(&mut self, number: ProcessNumber) {
        self.revision += 1;
        if let Some(process) = self.processes.get_mut(number.index()) {
            process.revision = self.revision;
        }
    }

    /// Like [`touch`](Self::touch), if the process owns any connections.
    pub(crate) fn touch_key(&mut self, key: ProcessKey) {
        if let Some(number) = self.numbers.get(&key) {
            self.touch(*number);
        }
    }

    /// Records that all processes have changed.
    pub(crate) fn touch_all(&mut self) {
        self.revision += 1;
        for process in &mut self.processes {
            process.revision = self.revision;
        }
    }

    pub(crate) fn number(&self, key: ProcessKey) -> Option<ProcessNumber> {
        self.numbers.get(&key).copied()
    }

    fn revision(&self, number: ProcessNumber) -> u64 {
        self.processes.get(number.index()).map_or(0, |process| process.revision)
    }
}

/// A set of processes.
#[derive(Clone, Debug, Default)]
pub(crate) struct ProcessSet {
    members: Vec<bool>,
    is_empty: bool,
}

impl ProcessSet {
    pub(crate) fn of(numbers: impl IntoIterator<Item = ProcessNumber>) -> Self {
        let mut set = Self { members: Vec::new(), is_empty: true };
        for number in numbers {
            if set.members.len() <= number.index() {
                set.members.resize(number.index() + 1, false);
            }
            if let Some(member) = set.members.get_mut(number.index()) {
                *member = true;
                set.is_empty = false;
            }
        }
        set
    }

    pub(crate) fn contains(&self, number: ProcessNumber) -> bool {
        self.members.get(number.index()).is_some_and(|member| *member)
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.is_empty
    }
}

/// The results derived from the connections of each process.
#[derive(Debug)]
pub(crate) struct Derived<T> {
    values: Vec<Option<Value<T>>>,
}

#[derive(Debug)]
struct Value<T> {
    revision: u64,
    /// The result is valid before this time.
    until: Timestamp,
    result: T,
}

impl<T> Default for Derived<T> {
    fn default() -> Self {
        Self { values: Vec::new() }
    }
}

impl<T> Derived<T> {
    /// The processes without a result that is valid at `now`.
    pub(crate) fn stale(&self, index: &ProcessIndex, now: Timestamp) -> ProcessSet {
        let all = index.numbers.values().copied();
        ProcessSet::of(all.filter(|number| self.get(index, *number, now).is_none()))
    }

    /// The end of validity of the result for this process, if the process has not changed since.
    pub(crate) fn until(&self, index: &ProcessIndex, key: ProcessKey) -> Option<Timestamp> {
        let number = index.number(key)?;
        let known = self.values.get(number.index())?.as_ref()?;
        (known.revision == index.revision(number)).then_some(known.until)
    }

    /// The result derived from the present state of this process, even if its validity has ended.
    pub(crate) fn of(&self, index: &ProcessIndex, key: ProcessKey) -> Option<&T> {
        let number = index.number(key)?;
        let known = self.values.get(number.index())?.as_ref()?;
        (known.revision == index.revision(number)).then_some(&known.result)
    }

    /// Whether there is a result for this process that is valid at `now`.
    pub(crate) fn holds(&self, index: &ProcessIndex, key: ProcessKey, now: Timestamp) -> bool {
        self.until(index, key).is_some_and(|until| now < until)
    }

    /// The result for this process that is valid at `now`.
    fn get(&self, index: &ProcessIndex, number: ProcessNumber, now: Timestamp) -> Option<&T> {
        let known = self.values.get(number.index())?.as_ref()?;
        (known.revision == index.revision(number) && now < known.until).then_some(&known.result)
    }

    /// Keeps a result until the process changes, and at most until `until`.
    pub(crate) fn keep(
        &mut self,
        index: &ProcessIndex,
        key: ProcessKey,
        until: Timestamp,
        result: T,
    ) {
        let Some(number) = index.number(key) else { return };
        if self.values.len() <= number.index() {
            self.values.resize_with(number.index() + 1, || None);
        }
        if let Some(place) = self.values.get_mut(number.index()) {
            *place = Some(Value { revision: index.revision(number), until, result });
        }
    }

    /// The results derived from the present connections of each process, even if their validity has
    /// ended.
    pub(crate) fn values<'a>(&'a self, index: &'a ProcessIndex) -> impl Iterator<Item = &'a T> {
        index.numbers.values().filter_map(|number| {
            let known = self.values.get(number.index())?.as_ref()?;
            (known.revision == index.revision(*number)).then_some(&known.result)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(pid: u32) -> ProcessKey {
        ProcessKey { start_time_ns: 1, pid }
    }

    #[test]
    fn what_was_derived_holds_until_a_change_or_its_time() {
        let at = Timestamp::from_ms;
        let mut index = ProcessIndex::new();
        let number = index.join(key(1)).unwrap();
        let mut derived = Derived::default();
        assert!(derived.stale(&index, at(1)).contains(number));
        derived.keep(&index, key(1), at(5), 'a');
        assert!(derived.stale(&index, at(4)).is_empty());
        assert!(derived.stale(&index, at(5)).contains(number));
        index.touch(number);
        assert!(derived.stale(&index, at(4)).contains(number));
        assert_eq!(derived.values(&index).count(), 0);
    }

    #[test]
    fn a_number_of_another_process_says_nothing_of_it() {
        let mut index = ProcessIndex::new();
        let number = index.join(key(1)).unwrap();
        let mut derived = Derived::default();
        derived.keep(&index, key(1), Timestamp::from_ms(9), 'a');
        index.leave(number);
        assert_eq!(index.number(key(1)), None);
        assert_eq!(index.join(key(2)), Some(number), "it is given to another process");
        assert!(derived.stale(&index, Timestamp::from_ms(1)).contains(number));
    }
}
