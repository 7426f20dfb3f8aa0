//! The replies of the worker.

use tracer_core::{CallSite, Input, Limit, ProcessFacts, Readers, Timestamp};

use super::{
    codec::{self, Malformed},
    frame,
};
use crate::go::{Entries, ResolvedConnection};

/// The reply to one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The number of the request.
    pub sequence: u64,
    /// When the worker began to read, on `CLOCK_MONOTONIC`. The answer is valid only for processes
    /// and connections that have not changed since.
    pub read_at: Timestamp,
    /// CPU time of the worker since its previous reply, in nanoseconds.
    pub cpu_ns: u64,
    /// The answer.
    pub answer: Answer,
}

/// The result of an inspection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The process has ended, or its pid was reused.
    Ended,
    /// The answer is too long to be sent.
    TooLong,
    /// Facts about the process.
    Process(ProcessFacts),
    /// The process may not be read.
    ProcessUnreadable,
    /// The call site of a stack.
    CallSite(CallSite),
    /// What is waiting to read from its connections.
    Readers(Readers),
    /// The functions of Go's HTTP client, or why its responses cannot be tracked; `None` if the
    /// process does not run a Go program. If there are functions, the file descriptor of the program
    /// comes with the reply.
    Entries(Option<Result<Entries, Limit>>),
    /// The connection of each object of Go's HTTP client, or why the process cannot be inspected.
    Resolved(Result<Vec<Option<ResolvedConnection>>, Limit>),
}

wire_struct!(Reply { sequence, read_at, cpu_ns, answer });
wire_enum!(Answer {
    0 = Ended,
    1 = TooLong,
    2 = Process(facts),
    3 = ProcessUnreadable,
    4 = CallSite(call_site),
    5 = Readers(readers),
    6 = Entries(entries),
    7 = Resolved(connections),
});

impl Answer {
    /// The answer for a result of the inspector; `None` means that the process has exited.
    pub(crate) fn of(input: Option<Input>) -> Self {
        match input {
            Some(Input::Process(facts)) => Self::Process(facts),
            Some(Input::ProcessUnreadable(_)) => Self::ProcessUnreadable,
            Some(Input::CallSite(call_site)) => Self::CallSite(call_site),
            Some(Input::Readers(readers)) => Self::Readers(readers),
            // The inspector returns no other inputs.
            _ => Self::Ended,
        }
    }
}

impl Reply {
    /// The first message of a worker, which says that it is ready. `cpu_ns` is the CPU time of its
    /// start.
    pub const fn ready(at: Timestamp, cpu_ns: u64) -> Self {
        Self { sequence: 0, read_at: at, cpu_ns, answer: Answer::Ended }
    }

    /// Whether this may be the first message of a worker.
    pub fn is_ready(&self) -> bool {
        self.sequence == 0 && self.answer == Answer::Ended
    }

    /// The reply as a frame. An answer longer than `max` bytes is replaced by [`Answer::TooLong`].
    pub fn to_frame(&self, max: usize) -> Vec<u8> {
        let too_long = || {
            let Self { sequence, read_at, cpu_ns, answer: _ } = *self;
            let reply = Self { sequence, read_at, cpu_ns, answer: Answer::TooLong };
            frame::frame(&reply, max)
        };
        frame::frame(self, max).or_else(too_long).unwrap_or_default()
    }

    /// Reads a message that may be `max` bytes long. It takes not much more memory than that.
    ///
    /// # Errors
    /// The message is malformed, or would take more memory.
    pub fn read(message: &[u8], max: usize) -> Result<Self, Malformed> {
        // The strings of a reply are not longer than the reply, and besides them, the facts about a
        // connection take a small part of the bytes for which `Request::reply_max` has room.
        codec::from_bytes(message, max.saturating_add(max / 8))
    }
}
