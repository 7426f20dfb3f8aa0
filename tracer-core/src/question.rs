//! What the detector asks of processes.

use alloc::vec::Vec;

use crate::{ConnectionId, ProcessKey, StackId};

/// A question of the core about a process. The answer comes as an [`Input`](crate::Input).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Question {
    /// What does `/proc` say about this process? Answered by `Input::Process` or
    /// `Input::ProcessUnreadable`.
    Process(ProcessKey),
    /// What in this process is waiting to read from these connections? Answered by
    /// `Input::Readers`.
    Readers(ProcessKey, Vec<Asked>),
    /// The call site of this stack of this process: which line of the application's code does it
    /// come from? Answered by `Input::CallSite`.
    CallSite(ProcessKey, StackId),
}

/// A connection in a question, as its process knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Asked {
    /// Identity of the socket.
    pub id: ConnectionId,
    /// The file descriptor of the connection in the process.
    pub fd: u32,
    /// Inode number of the socket's file, which shows whether the file descriptor still refers to
    /// the same socket.
    pub inode: u64,
}

/// The subject of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// [`Question::Process`].
    Process(ProcessKey),
    /// [`Question::Readers`].
    Readers(ProcessKey),
    /// [`Question::CallSite`].
    CallSite(ProcessKey, StackId),
    /// The open HTTP responses of a process ([`Ledger`](crate::Ledger)), for which the
    /// observer asks.
    Responses(ProcessKey),
}

impl Subject {
    /// The process that the question is about.
    pub const fn process(self) -> ProcessKey {
        match self {
            Self::Process(process)
            | Self::Readers(process)
            | Self::CallSite(process, _)
            | Self::Responses(process) => process,
        }
    }

    /// The kind of the question.
    pub const fn kind(self) -> QuestionKind {
        match self {
            Self::Process(_) => QuestionKind::Process,
            Self::Readers(_) => QuestionKind::Readers,
            Self::CallSite(..) => QuestionKind::CallSite,
            Self::Responses(_) => QuestionKind::Responses,
        }
    }
}

impl Question {
    /// What identifies the question: its kind, and the process or stack that it is about.
    pub const fn subject(&self) -> Subject {
        match self {
            Self::Process(process) => Subject::Process(*process),
            Self::Readers(process, _) => Subject::Readers(*process),
            Self::CallSite(process, stack) => Subject::CallSite(*process, *stack),
        }
    }
}

/// The kinds of questions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum QuestionKind {
    /// [`Question::Process`].
    Process,
    /// [`Question::Readers`].
    Readers,
    /// [`Question::CallSite`].
    CallSite,
    /// [`Subject::Responses`].
    Responses,
}

impl QuestionKind {
    /// The code in JSON. Codes are never renamed or reused.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Process => "process",
            Self::Readers => "readers",
            Self::CallSite => "call-site",
            Self::Responses => "responses",
        }
    }
}

/// Why a question is not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NoAnswer {
    /// The process has ended.
    Ended,
    /// There was no time for the question. It is asked again.
    OutOfTime,
    /// The inspection crashed, or exceeded its limit of time or memory, twice. This kind of
    /// question is not asked about the process again.
    Failed,
}

impl NoAnswer {
    /// The code in JSON. Codes are never renamed or reused.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Ended => "ended",
            Self::OutOfTime => "out-of-time",
            Self::Failed => "failed",
        }
    }
}
