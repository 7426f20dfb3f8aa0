//! What the stacks of all goroutines say, read without stopping them.

use std::collections::{BTreeMap, HashSet};

use tracer_core::Goroutines;

use super::{
    all_goroutines,
    goroutine::{Goroutine, Stack},
    layout::Layout,
    look::Look,
    memory::Pages,
    poll::{PollDescriptor, Waiting},
    program::{Functions, Parts},
    read_loop::{self, ReadLoop, Role},
    stacks::{Batches, STACKS_MAX},
};

/// Most goroutines that are looked at.
const GOROUTINES_MAX: u64 = 250_000;
/// More bytes than a `pollDesc` of any version has.
const POLL_DESCRIPTOR: u64 = 256;

/// What the stacks of all goroutines say.
#[derive(Default)]
pub(super) struct Survey {
    pub(super) read_loops: Vec<ReadLoop>,
    /// The goroutines of connections, by address and number: their stacks have responses that
    /// nobody else has.
    pub(super) of_connections: HashSet<(u64, u64)>,
    /// A goroutine that is about to run refers to this descriptor's books.
    pub(super) waking: Vec<usize>,
    counted: Goroutines,
    /// All goroutines were counted.
    is_counted: bool,
    pub(super) limits: Option<String>,
}

impl Look<'_> {
    /// Reads the stack of every goroutine.
    pub(super) fn survey(
        &self,
        parts: &mut Parts,
        layout: &Layout,
        polls: &[Option<PollDescriptor>],
    ) -> Survey {
        let mut survey = Survey::default();
        let Some((goroutines, length)) = self.goroutines(parts.all_goroutines, layout) else {
            survey.limits = Some("goroutines cannot be looked at: their list moved".to_owned());
            survey.waking = (0..polls.len()).collect();
            return survey;
        };
        if length > GOROUTINES_MAX {
            survey.limit(format!("{GOROUTINES_MAX} of {length} goroutines were looked at"));
        }
        let mut pages = Pages::new(self.memory);
        let total = self.total(&goroutines, parts.functions, &mut pages);
        survey.counted.total = total.unwrap_or(0);
        survey.is_counted = total.is_some() && goroutines.len() as u64 == length;
        let ready: BTreeMap<u64, usize> = (0..)
            .zip(polls)
            .filter_map(|(index, poll)| Some((poll.as_ref()?, index)))
            .filter(|(poll, _)| poll.waiting == Waiting::Ready)
            .map(|(poll, index)| (poll.address, index))
            .collect();

        let mut batches = Batches::of(&goroutines);
        for batch in batches.by_ref() {
            let (stacks, are_whole) = self.stacks(batch, layout);
            survey.is_counted &= are_whole;
            for stack in stacks {
                self.survey_stack(&stack, parts.functions, &mut pages, &ready, &mut survey);
            }
        }
        if batches.are_cut() {
            survey.limit(format!("{} MiB of stacks were looked at", STACKS_MAX >> 20));
        }
        survey
    }

    /// All goroutines, as far as they are looked at, and how many there are.
    pub(super) fn goroutines(&self, list: u64, layout: &Layout) -> Option<(Vec<Goroutine>, u64)> {
        let list = list.wrapping_add(self.bias);
        let (start, length) = all_goroutines::list(self.memory, &self.areas, list)?;
        let count = length.min(GOROUTINES_MAX);
        let all = Goroutine::read_list(self.memory, layout, start, count);
        Some((all.into_iter().flatten().collect(), length))
    }

    /// How many there are by Go's own count, which leaves out the runtime's; `None` if of one it
    /// cannot be told.
    fn total(
        &self,
        goroutines: &[Goroutine],
        functions: &mut Functions,
        pages: &mut Pages,
    ) -> Option<u64> {
        let alive = goroutines.iter().filter(|goroutine| goroutine.is_alive());
        let mut is_system = |start: u64| functions.is_system(pages, self.bias, start);
        alive.map(|goroutine| is_system(goroutine.function).map(|it| u64::from(!it))).sum()
    }

    fn survey_stack(
        &self,
        stack: &Stack,
        functions: &mut Functions,
        pages: &mut Pages,
        ready: &BTreeMap<u64, usize>,
        survey: &mut Survey,
    ) {
        let goroutine = &stack.goroutine;
        if !goroutine.is_waiting() && !ready.is_empty() {
            let words = stack.words(stack.start, goroutine.stack.high);
            // Addresses of its parts count too.
            survey.waking.extend(words.filter_map(|word| {
                let (address, index) = ready.range(..=word).next_back()?;
                (word - address < POLL_DESCRIPTOR).then_some(index)
            }));
        }
        let key = (goroutine.address, goroutine.id);
        match read_loop::role(stack, functions, pages, self.bias) {
            Role::ReadLoop(read_loop) => {
                survey.counted.read_loops += 1;
                survey.of_connections.insert(key);
                if goroutine.is_waiting() {
                    survey.read_loops.push(read_loop);
                }
            }
            Role::BusyReadLoop => {
                survey.counted.read_loops += 1;
                survey.of_connections.insert(key);
            }
            Role::WriteLoop => {
                survey.counted.write_loops += 1;
                survey.of_connections.insert(key);
            }
            Role::Other => {}
        }
    }
}

impl Survey {
    /// How many there are of what, if nothing was left out.
    pub(super) fn goroutines(&self) -> Option<Goroutines> {
        self.is_counted.then_some(self.counted)
    }

    /// Not all was looked at.
    fn limit(&mut self, sentence: String) {
        self.is_counted = false;
        self.limits = Some(sentence);
    }
}
