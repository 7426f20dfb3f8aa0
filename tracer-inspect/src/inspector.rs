//! The entry point of this crate: answers questions about processes.

use std::{fmt::Debug, fs::File};

use tracer_core::{Asked, Input, Limit, ProcessKey, Question, StackId};

use crate::{
    budget::{Allowance, Budget},
    call_sites::CallSites,
    frames::rules::Rules,
    go::{Entries, GoPrograms, HttpObject, ResolvedConnection, prologue::at_cheapest_instructions},
    process::{
        facts::{FactsCache, Memory},
        user_stack::UserStack,
    },
    protocol::Task,
    readers::ReaderInspections,
};

/// Questions that take more steps are logged: about 0.1 s of CPU time.
const NOTABLE_STEPS: u64 = 1 << 24;

/// Inspects processes, and caches what it has learned about programs, modules and epoll instances.
#[derive(Debug)]
pub struct Inspector {
    readers: ReaderInspections,
    call_sites: CallSites,
    go: GoPrograms,
    facts: FactsCache,
    allowance: Allowance,
}

impl Inspector {
    /// `rules` decide which frames belong to the application. Command lines often contain secrets,
    /// so they are in the answers only if `with_cmdline`.
    pub fn new(rules: Rules, with_cmdline: bool) -> Self {
        Self {
            readers: ReaderInspections::default(),
            call_sites: CallSites::new(rules),
            go: GoPrograms::default(),
            facts: FactsCache::new(with_cmdline),
            allowance: Allowance::default(),
        }
    }

    /// This inspector with another budget for each question.
    #[must_use]
    pub const fn with_allowance(mut self, allowance: Allowance) -> Self {
        self.allowance = allowance;
        self
    }

    /// The answer to a question; `None` if the process has ended or its pid was reused. `stack` is
    /// the stack that a [`Question::CallSite`] is about, if the kernel still has it.
    pub fn answer(&mut self, question: &Question, stack: Option<&UserStack>) -> Option<Input> {
        let budget = Budget::new(self.allowance);
        let answer = match question {
            Question::Process(key) => self.facts.answer(*key, Memory::Read),
            Question::CallSite(process, number) => {
                self.call_site(*process, *number, stack, &budget)
            }
            Question::Readers(process, asked) => self.readers(*process, asked, &budget),
        };
        log_steps(&budget, question);
        answer
    }

    /// The answer to a task that is a question; `None` as above.
    pub(crate) fn find_out(&mut self, task: &Task) -> Option<Input> {
        let with_debug_info = !matches!(task, Task::CallSite { with_debug_info: false, .. });
        let budget = Budget::new(Allowance { with_debug_info, ..self.allowance });
        let answer = match task {
            Task::Process(key) => self.facts.answer(*key, Memory::Read),
            Task::ProcessInKernel(key) => self.facts.answer(*key, Memory::NotRead),
            Task::CallSite { process, stack, recorded, .. } => {
                self.call_site(*process, *stack, recorded.as_ref(), &budget)
            }
            Task::Readers { process, asked } => self.readers(*process, asked, &budget),
            Task::Entries(_) | Task::Resolve { .. } => None,
        };
        log_steps(&budget, task);
        answer
    }

    fn call_site(
        &mut self,
        process: ProcessKey,
        number: StackId,
        stack: Option<&UserStack>,
        budget: &Budget,
    ) -> Option<Input> {
        self.call_sites.answer(&mut self.go, process, number, stack, budget)
    }

    fn readers(&mut self, process: ProcessKey, asked: &[Asked], budget: &Budget) -> Option<Input> {
        self.readers.answer(&mut self.go, process, asked, budget)
    }

    /// The functions of Go's HTTP client to which uprobes are attached, as offsets in the file of
    /// the program, and the file. `None` if the process does not run a Go program.
    ///
    /// # Errors
    /// No response of this program can be tracked; the limit says why.
    pub fn entries(&mut self, process: ProcessKey) -> Option<Result<(Entries, File), Limit>> {
        let budget = Budget::new(self.allowance);
        let entries = self.go.entries(process, &budget)?.map(|(mut entries, file)| {
            entries.hooks = at_cheapest_instructions(&file, entries.hooks);
            (entries, file)
        });
        Some(budget.limit().map_or(entries, Err))
    }

    /// The TCP connection of each object of Go's HTTP client, in the order of `objects`; `None` if
    /// no connection could be verified.
    ///
    /// # Errors
    /// The process cannot be inspected; the limit says why.
    pub fn resolve(
        &mut self,
        process: ProcessKey,
        objects: &[HttpObject],
    ) -> Result<Vec<Option<ResolvedConnection>>, Limit> {
        let budget = Budget::new(self.allowance);
        let connections = self.go.resolve(process, objects, &budget)?;
        budget.limit().map_or(Ok(connections), Err)
    }
}

/// Logs an inspection that was long or that exceeded its budget.
fn log_steps(budget: &Budget, question: &impl Debug) {
    if budget.steps() > NOTABLE_STEPS || budget.is_exceeded() {
        log::debug!("{} steps for {question:?}: {:?}", budget.steps(), budget.limit());
    }
}
