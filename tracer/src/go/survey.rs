//! What the stacks of all goroutines say, read without stopping them.

use std::collections::BTreeMap;

use tracer_core::Goroutines;

use super::{
    all_goroutines,
    goroutine::{Goroutine, Stack},
    holders::References,
    layout::Layout,
    look::Look,
    memory::Pages,
    poll::{PollDescriptor, Waiting},
    program::{Functions, Parts},
    read_loop::{self, ReadLoop, Role},
};

/// Most goroutines that are looked at.
const GOROUTINES_MAX: u64 = 250_000;
/// Most bytes of stacks that are read.
const STACKS_MAX: usize = 512 << 20;
/// Most bytes of one stack.
const STACK_MAX: usize = 1 << 20;
/// Bytes of stacks that are held at a time.
const BATCH: usize = 8 << 20;
/// How often a stack is copied that does not stay where it is.
const COPIES_MAX: usize = 5;
/// More bytes than a `pollDesc` of any version has.
const POLL_DESCRIPTOR: u64 = 256;

/// What the stacks of all goroutines say.
#[derive(Default)]
pub(super) struct Survey {
    pub(super) read_loops: Vec<ReadLoop>,
    pub(super) references: References,
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
        let list = parts.all_goroutines.wrapping_add(self.bias);
        let Some((start, length)) = all_goroutines::list(self.memory, &self.areas, list) else {
            survey.limits = Some("goroutines cannot be looked at: their list moved".to_owned());
            survey.waking = (0..polls.len()).collect();
            return survey;
        };
        if length > GOROUTINES_MAX {
            survey.limit(format!("{GOROUTINES_MAX} of {length} goroutines were looked at"));
        }
        let count = length.min(GOROUTINES_MAX);
        let all = Goroutine::read_list(self.memory, layout, start, count);
        let goroutines: Vec<_> = all.into_iter().flatten().collect();
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

        let mut total = 0;
        let mut rest = goroutines.as_slice();
        while !rest.is_empty() {
            let mut bytes = 0;
            let fits = |goroutine: &&Goroutine| {
                bytes += goroutine.used_stack(STACK_MAX).map_or(0, |(_, length)| length);
                bytes <= BATCH
            };
            let count = rest.iter().take_while(fits).count().max(1);
            let (batch, others) = rest.split_at(count.min(rest.len()));
            rest = others;
            total += bytes.min(BATCH);
            if total > STACKS_MAX {
                survey.limit(format!("{} MiB of stacks were looked at", STACKS_MAX >> 20));
                break;
            }
            let (stacks, are_whole) = self.stacks(batch, layout);
            survey.references.is_incomplete |= !are_whole;
            survey.is_counted &= are_whole;
            for stack in stacks {
                self.survey_stack(&stack, parts.functions, &mut pages, &ready, &mut survey);
            }
        }
        survey.references.leave_out(&goroutines);
        survey
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
        match read_loop::role(stack, functions, pages, self.bias) {
            Role::ReadLoop(read_loop) => {
                survey.counted.read_loops += 1;
                if goroutine.is_waiting() {
                    survey.read_loops.push(read_loop);
                }
            }
            Role::BusyReadLoop => survey.counted.read_loops += 1,
            Role::WriteLoop => survey.counted.write_loops += 1,
            Role::Other => {
                survey.references.add(stack, &self.areas);
                if goroutine.stack.high - stack.start > stack.bytes.len() as u64 {
                    survey.references.is_incomplete = true;
                }
            }
        }
    }

    /// Copies of the stacks in use, and whether all of them are whole. A goroutine that did
    /// something meanwhile is copied again, with all of its stack, until that stays where it is.
    fn stacks(&self, goroutines: &[Goroutine], layout: &Layout) -> (Vec<Stack>, bool) {
        let mut stacks = Vec::new();
        let mut missing = goroutines.to_vec();
        for _ in 0..COPIES_MAX {
            let copies = self.copy(&missing);
            let addresses: Vec<_> = copies.iter().map(|it| it.goroutine.address).collect();
            let now = Goroutine::read_all(self.memory, layout, &addresses);
            missing.clear();
            for (copy, now) in copies.into_iter().zip(now) {
                match now {
                    Some(now) if copy.goroutine.still_is(&now) => stacks.push(copy),
                    Some(now) => missing.push(now.as_running()),
                    // Goroutines are never freed, so this is the end of the process.
                    None => {}
                }
            }
            if missing.is_empty() {
                return (stacks, true);
            }
        }
        (stacks, false)
    }

    pub(super) fn copy(&self, goroutines: &[Goroutine]) -> Vec<Stack> {
        let used: Vec<_> = goroutines
            .iter()
            .filter_map(|goroutine| Some((goroutine, goroutine.used_stack(STACK_MAX)?)))
            .collect();
        let ranges: Vec<_> = used.iter().map(|(_, range)| *range).collect();
        let read = self.memory.read(&ranges).into_iter().zip(used);
        // What cannot be read has been given back: its bounds are not what they were.
        read.map(|(bytes, (goroutine, (start, _)))| Stack {
            goroutine: *goroutine,
            start,
            bytes: bytes.unwrap_or_default(),
        })
        .collect()
    }
}

impl Survey {
    /// How many there are of what, if nothing was left out.
    pub(super) fn goroutines(&self) -> Option<Goroutines> {
        self.is_counted.then_some(self.counted)
    }

    /// Not all was looked at: so what is not found may yet be there.
    fn limit(&mut self, sentence: String) {
        self.references.is_incomplete = true;
        self.is_counted = false;
        self.limits = Some(sentence);
    }
}
