//! The lists of open responses, which are inputs like answers, but come before the questions.

use std::time::Duration;

use tracer_core::Input;

use super::{ANSWERS_PAUSE, Session};
use crate::{collect::observer::Observer, commands::watch::signals::Signals};

/// How long a run waits at its start until uprobes are attached: earlier responses are not tracked.
const UPROBES_PAUSE: Duration = Duration::from_secs(2);

/// The lists of open responses of a run.
#[derive(Debug, Default)]
pub(super) struct Lists {
    /// Lists that arrived after the questions were asked: other questions follow from them.
    pub(super) late: Vec<Input>,
    /// Whether lists are passed on at once, because the questions have not been asked yet.
    pub(super) are_taken: bool,
    /// Whether the first snapshot has been taken.
    have_begun: bool,
}

impl Session {
    /// Begins to read the open responses, and takes the lists that arrive soon: the questions
    /// depend on them.
    pub(super) async fn take_ledgers(&mut self, is_last: bool, signals: &mut Signals) {
        self.pass_on_late_lists();
        for input in self.observer.ledgers() {
            self.detector.handle(input);
        }
        self.lists.are_taken = true;
        let is_first = !std::mem::replace(&mut self.lists.have_begun, true);
        let pause = if is_first { UPROBES_PAUSE } else { ANSWERS_PAUSE };
        self.wait_while(Observer::is_awaiting_ledgers, pause, is_last, signals).await;
        self.lists.are_taken = false;
    }

    pub(super) fn pass_on_late_lists(&mut self) {
        for list in std::mem::take(&mut self.lists.late) {
            self.detector.handle(list);
        }
    }

    /// Asks the questions that follow from late lists, once no other answer is awaited.
    pub(super) fn follow_up(&mut self) {
        if !self.lists.late.is_empty() && !self.observer.is_awaiting_answers() {
            self.pass_on_late_lists();
            self.has_answers = true;
            self.ask_questions();
        }
    }
}
