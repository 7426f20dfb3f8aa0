//! What becomes of a request.

use std::os::fd::OwnedFd;

use tracer_inspect::protocol::{Answer, Task};

/// The outcome of a request.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) task: Task,
    pub(crate) result: Result<Answer, Unanswered>,
    /// The file of the program, with an answer to [`Task::Entries`].
    pub(crate) program: Option<OwnedFd>,
}

impl Outcome {
    /// The outcome of a request that is not answered.
    pub(super) const fn unanswered(task: Task, why: Unanswered) -> Self {
        Self { task, result: Err(why), program: None }
    }
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unanswered {
    /// Two workers failed to answer the request, or an earlier request of this kind.
    Failed,
    /// There was no time for the request.
    OutOfTime,
}
