//! Checks that a reply is about its request.

use std::collections::HashSet;

use tracer_core::{ConnectionId, Readers, Timestamp};

use super::{Answer, Reply, Request, Task};

/// Why a reply does not match its request. The worker that sent it can no longer be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mismatch {
    /// The reply has the number of another request.
    Sequence,
    /// The reply's timestamp is earlier than the request or later than its arrival.
    Time,
    /// The reply answers another kind of request.
    Kind,
    /// The reply is about another process, stack or connection.
    Subject,
}

impl Reply {
    /// Checks that this is the reply to a request that was sent at `sent_at`, and that arrives
    /// `now`.
    ///
    /// # Errors
    /// It does not match.
    pub fn check(
        &self,
        request: &Request,
        sent_at: Timestamp,
        now: Timestamp,
    ) -> Result<(), Mismatch> {
        if self.sequence != request.sequence {
            return Err(Mismatch::Sequence);
        }
        let is_in_time = |at: Timestamp| (sent_at..=now).contains(&at);
        if !is_in_time(self.read_at) {
            return Err(Mismatch::Time);
        }
        let is_same = match (&request.task, &self.answer) {
            (_, Answer::Ended | Answer::TooLong)
            | (Task::Process(_) | Task::ProcessInKernel(_), Answer::ProcessUnreadable)
            | (Task::Entries(_), Answer::Entries(_)) => true,
            (Task::Process(key) | Task::ProcessInKernel(key), Answer::Process(facts)) => {
                facts.key == *key
            }
            (Task::CallSite { process, stack, .. }, Answer::CallSite(answer)) => {
                (answer.process, answer.stack) == (*process, *stack)
            }
            (Task::Readers { process, asked }, Answer::Readers(readers)) => {
                if !is_in_time(readers.at) {
                    return Err(Mismatch::Time);
                }
                readers.process == *process && are_asked(readers, asked.iter().map(|it| it.id))
            }
            (Task::Resolve { objects, .. }, Answer::Resolved(resolved)) => {
                resolved.as_ref().map_or(true, |connections| connections.len() == objects.len())
            }
            _ => return Err(Mismatch::Kind),
        };
        if is_same { Ok(()) } else { Err(Mismatch::Subject) }
    }
}

/// Whether each connection is one that was asked about, and none occurs twice.
fn are_asked(readers: &Readers, asked: impl Iterator<Item = ConnectionId>) -> bool {
    let mut asked: HashSet<ConnectionId> = asked.collect();
    readers.found.iter().all(|facts| asked.remove(&facts.id))
}
