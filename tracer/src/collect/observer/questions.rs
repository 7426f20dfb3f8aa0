//! The detector's questions about processes, and their answers. Nothing here waits for an answer.

use tracer_core::{Input, Question};

use super::Observer;
#[cfg(test)]
use crate::collect::backend::Backend;
use crate::collect::{
    inspection::{Arrived, Inspections, Outcome},
    ledger::Ledgers,
};

impl Observer {
    /// Asks a question. [`answers`](Self::answers) returns the answer later, or that there is none.
    pub(crate) fn ask(&mut self, question: &Question) {
        #[cfg(test)]
        if let Backend::Scripted(host) = &mut self.backend {
            host.ask(question);
        }
        let stack = match question {
            Question::CallSite(_, stack) => {
                self.stacks.as_ref().and_then(|stacks| stacks.get(*stack))
            }
            Question::Process(_) | Question::Readers(..) => None,
        };
        if let Some(inspections) = &mut self.inspections {
            inspections.ask(question, stack);
        }
    }

    /// Whether questions are unanswered.
    pub(crate) fn is_awaiting_answers(&self) -> bool {
        #[cfg(test)]
        if let Backend::Scripted(host) = &self.backend {
            return host.next_answer_at().is_some();
        }
        self.inspections.as_ref().is_some_and(Inspections::is_waiting)
    }

    /// Waits until [`answers`](Self::answers) may have something to do. May be dropped at any time.
    pub(crate) async fn answered(&self) {
        #[cfg(test)]
        if let Backend::Scripted(host) = &self.backend
            && let Some(at) = host.next_answer_at()
        {
            return tokio::time::sleep_until(at).await;
        }
        match &self.inspections {
            Some(inspections) => inspections.ready().await,
            None => std::future::pending().await,
        }
    }

    /// Makes progress with the questions, and returns the answers that have arrived.
    pub(crate) fn answers(&mut self) -> Vec<Input> {
        #[cfg(test)]
        if let Backend::Scripted(host) = &mut self.backend {
            return host.answers();
        }
        let mut answers = Vec::new();
        loop {
            let arrived = self.inspections.as_mut().map(Inspections::arrived).unwrap_or_default();
            if arrived.is_empty() {
                return answers;
            }
            if let Some(ledgers) = &mut self.ledgers {
                ledgers.outcomes_arrived();
            }
            for arrived in arrived {
                answers.extend(match arrived {
                    Arrived::Input(input) => Some(input),
                    // It may lead to a further request.
                    Arrived::Outcome(outcome) => self.take_outcome(outcome),
                });
            }
        }
    }

    /// Passes the outcome of a request to the ledgers. Returns the ledger that it completes.
    fn take_outcome(&mut self, outcome: Outcome) -> Option<Input> {
        let (Some(ledgers), Some(kernel), Some(inspections)) =
            (&mut self.ledgers, self.backend.kernel(), &mut self.inspections)
        else {
            return None;
        };
        ledgers.take(kernel, outcome, &mut |task| inspections.request(task))
    }

    /// Whether uprobes or lists of open responses wait for inspections.
    pub(crate) fn is_awaiting_ledgers(&self) -> bool {
        self.ledgers.as_ref().is_some_and(Ledgers::is_waiting)
    }

    /// Gives up the questions about readers that no worker has yet, because there is no more time.
    pub(crate) fn give_up_readers(&mut self) {
        if let Some(inspections) = &mut self.inspections {
            inspections.give_up_readers();
        }
    }

    /// Gives up all questions, because there is no more time.
    pub(crate) fn give_up_answers(&mut self) {
        #[cfg(test)]
        if let Backend::Scripted(host) = &mut self.backend {
            host.give_up_answers();
        }
        if let Some(inspections) = &mut self.inspections {
            inspections.give_up();
        }
    }
}
