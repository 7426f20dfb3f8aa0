//! The requests of the tracer.

use tracer_core::{Asked, ProcessKey, Question, StackId};

use super::{
    codec::{self, Malformed},
    frame::{self, MESSAGE_MAX},
};
use crate::{go::HttpObject, process::user_stack::UserStack};

/// Maximum length of a reply in bytes, without the facts about each connection or object.
const REPLY_MAX: usize = 1 << 20;
/// Maximum length in bytes of the facts about one connection or object, most of which is the text
/// of an HTTP request.
const FACTS_MAX: usize = 4 << 10;

/// The first message to a worker: settings for all requests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Setup {
    /// Whether command lines are read and returned (`--cmdline`).
    pub with_cmdline: bool,
    /// The frame rules of the user (`--call-sites`), which precede the built-in ones.
    pub frame_rules: String,
}

/// One request to a worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The number of the request, which the reply repeats. Numbers start at 1 and are never used
    /// twice, not even for another worker.
    pub sequence: u64,
    /// The task.
    pub task: Task,
}

/// A task for the worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Task {
    /// [`Question::Process`].
    Process(ProcessKey),
    /// The same without the command line, which is in the memory of the process: only what the
    /// kernel has.
    ProcessInKernel(ProcessKey),
    /// [`Question::CallSite`], with the stack if it was kept.
    CallSite {
        /// The process.
        process: ProcessKey,
        /// The number of the stack.
        stack: StackId,
        /// The stack itself.
        recorded: Option<UserStack>,
        /// Whether the call site is resolved with debug information, or with symbol tables only.
        with_debug_info: bool,
    },
    /// [`Question::Readers`].
    Readers {
        /// The process.
        process: ProcessKey,
        /// The connections that are asked about.
        asked: Vec<Asked>,
    },
    /// The functions of Go's HTTP client to which uprobes are attached.
    Entries(ProcessKey),
    /// The TCP connection of each object of Go's HTTP client.
    Resolve {
        /// The process.
        process: ProcessKey,
        /// The objects.
        objects: Vec<HttpObject>,
    },
}

/// The kind of a task. If workers fail at one kind for a process, they may succeed at the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TaskKind {
    /// [`Task::Process`].
    Process,
    /// [`Task::ProcessInKernel`].
    ProcessInKernel,
    /// [`Task::CallSite`] with debug information.
    CallSite,
    /// [`Task::CallSite`] without.
    CallSiteBySymbols,
    /// [`Task::Readers`].
    Readers,
    /// [`Task::Entries`].
    Entries,
    /// [`Task::Resolve`].
    Resolve,
}

wire_struct!(Setup { with_cmdline, frame_rules });
wire_struct!(Request { sequence, task });
wire_enum!(Task {
    0 = Process(process),
    1 = CallSite { process, stack, recorded, with_debug_info },
    2 = Readers { process, asked },
    3 = Entries(process),
    4 = Resolve { process, objects },
    5 = ProcessInKernel(process),
});

impl Setup {
    /// The message as a frame; `None` if the frame rules are too long.
    pub fn to_frame(&self) -> Option<Vec<u8>> {
        frame::frame(self, MESSAGE_MAX)
    }

    /// Reads a message.
    ///
    /// # Errors
    /// The message is malformed.
    pub fn read(message: &[u8]) -> Result<Self, Malformed> {
        codec::from_bytes(message, usize::MAX)
    }
}

impl Request {
    /// The request as a frame; `None` if it is too long.
    pub fn to_frame(&self) -> Option<Vec<u8>> {
        frame::frame(self, MESSAGE_MAX)
    }

    /// Reads a message.
    ///
    /// # Errors
    /// The message is malformed.
    pub fn read(message: &[u8]) -> Result<Self, Malformed> {
        codec::from_bytes(message, usize::MAX)
    }

    /// Maximum length of the reply in bytes.
    pub fn reply_max(&self) -> usize {
        let facts = match &self.task {
            Task::Readers { asked, .. } => asked.len(),
            Task::Resolve { objects, .. } => objects.len(),
            Task::Process(_)
            | Task::ProcessInKernel(_)
            | Task::CallSite { .. }
            | Task::Entries(_) => 0,
        };
        facts.saturating_mul(FACTS_MAX).saturating_add(REPLY_MAX).min(MESSAGE_MAX)
    }
}

impl Task {
    /// The task of a question. `recorded` is the stack that a [`Question::CallSite`] is about.
    pub fn of(question: &Question, recorded: Option<&UserStack>) -> Self {
        match question {
            Question::Process(process) => Self::Process(*process),
            Question::Readers(process, asked) => {
                Self::Readers { process: *process, asked: asked.clone() }
            }
            Question::CallSite(process, stack) => {
                let (process, stack, recorded) = (*process, *stack, recorded.cloned());
                Self::CallSite { process, stack, recorded, with_debug_info: true }
            }
        }
    }

    /// What remains if this task cannot be done: a call site without debug information, a process
    /// without its command line.
    #[must_use]
    pub fn reduced(self) -> Self {
        match self {
            Self::Process(process) => Self::ProcessInKernel(process),
            Self::CallSite { process, stack, recorded, .. } => {
                Self::CallSite { process, stack, recorded, with_debug_info: false }
            }
            other => other,
        }
    }

    /// Whether [`reduced`](Self::reduced) returns another task.
    pub const fn is_reducible(&self) -> bool {
        matches!(self, Self::Process(_) | Self::CallSite { with_debug_info: true, .. })
    }

    /// The kind of the task.
    pub const fn kind(&self) -> TaskKind {
        match self {
            Self::Process(_) => TaskKind::Process,
            Self::ProcessInKernel(_) => TaskKind::ProcessInKernel,
            Self::CallSite { with_debug_info: true, .. } => TaskKind::CallSite,
            Self::CallSite { with_debug_info: false, .. } => TaskKind::CallSiteBySymbols,
            Self::Readers { .. } => TaskKind::Readers,
            Self::Entries(_) => TaskKind::Entries,
            Self::Resolve { .. } => TaskKind::Resolve,
        }
    }

    /// The process that it is about.
    pub const fn process(&self) -> ProcessKey {
        match self {
            Self::Process(process)
            | Self::ProcessInKernel(process)
            | Self::Entries(process)
            | Self::CallSite { process, .. }
            | Self::Readers { process, .. }
            | Self::Resolve { process, .. } => *process,
        }
    }
}
