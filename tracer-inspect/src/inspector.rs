//! The entry point of this crate: answers questions about processes.

use tracer_core::{Input, Limit, ProcessKey, Question};

use crate::{
    call_sites::CallSites,
    frames::rules::Rules,
    go::{Entries, GoPrograms, HttpObject, ResolvedConnection},
    process::{facts::FactsCache, user_stack::UserStack},
    readers::ReaderInspections,
};

/// Inspects processes, and caches facts about programs, modules and epoll instances.
#[derive(Debug)]
pub struct Inspector {
    readers: ReaderInspections,
    call_sites: CallSites,
    go: GoPrograms,
    facts: FactsCache,
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
        }
    }

    /// The answer to a question; `None` if the process has exited or its pid was reused. `stack` is
    /// the stack that a [`Question::CallSite`] is about, if the kernel still has it.
    pub fn answer(&mut self, question: &Question, stack: Option<&UserStack>) -> Option<Input> {
        let go = &mut self.go;
        match question {
            Question::Process(key) => self.facts.answer(*key),
            Question::CallSite(process, number) => {
                self.call_sites.answer(go, *process, *number, stack)
            }
            Question::Readers(process, asked) => self.readers.answer(go, *process, asked),
        }
    }

    /// The functions of Go's HTTP client to which uprobes are attached, as offsets in the file of
    /// the program. `None` if the process does not run a Go program.
    ///
    /// # Errors
    /// No response of this program can be tracked; the limit says why.
    pub fn entries(&mut self, process: ProcessKey) -> Option<Result<Entries, Limit>> {
        self.go.entries(process)
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
        self.go.resolve(process, objects)
    }
}
