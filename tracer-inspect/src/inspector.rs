//! Answers the detector's questions about processes.

use tracer_core::{Input, Question};

use crate::{
    call_sites::CallSites,
    frames::rules::Rules,
    go::GoPrograms,
    process::{facts, user_stack::UserStack},
    readers::ReaderInspections,
};

/// Everything that is kept from one question to the next.
#[derive(Debug)]
pub struct Inspector {
    readers: ReaderInspections,
    call_sites: CallSites,
    programs: GoPrograms,
    with_cmdline: bool,
}

impl Inspector {
    /// `rules` say which frames are the application's. Command lines, which often hold secrets, are
    /// in the answers only if `with_cmdline`.
    pub fn new(rules: Rules, with_cmdline: bool) -> Self {
        Self {
            readers: ReaderInspections::default(),
            call_sites: CallSites::new(rules),
            programs: GoPrograms::default(),
            with_cmdline,
        }
    }

    /// The answer to a question; `None` if there is none any more. `stack` is what was kept of the
    /// stack that a question is about, if it is about one.
    pub fn answer(&mut self, question: &Question, stack: Option<&UserStack>) -> Option<Input> {
        let programs = &mut self.programs;
        match question {
            Question::Process(key) => facts::answer(*key, self.with_cmdline),
            Question::CallSite(process, number) => {
                self.call_sites.answer(programs, *process, *number, stack)
            }
            Question::Readers(process, asked) => self.readers.answer(programs, *process, asked),
        }
    }

    /// The Go programs that were inspected.
    pub const fn programs(&mut self) -> &mut GoPrograms {
        &mut self.programs
    }
}
