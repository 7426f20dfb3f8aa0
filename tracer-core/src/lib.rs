//! The core of the analysis: it takes inputs and returns findings.
//!
//! **A connection is leaked when no code will ever read from it or close it.** The [`Detector`]
//! takes [`Input`]s in order, asks [`Question`]s of the processes that it suspects, and returns a
//! [`Report`] with [`Finding`]s and the [`Change`]s of single connections' verdicts.
//!
//! The report is data without text: a finding has a [`Verdict`], a [`Confidence`], [`Evidence`] and
//! [`Caveat`]s, and what could not be seen is in [`Coverage`] as [`Note`]s and [`Limit`]s.
//!
//! # Confidence
//! - *certain*: the process's own data says that no code will read or close the connection, or no
//!   other explanation of the pattern is known.
//! - *likely*: a pattern that healthy programs do not normally show.
//! - *possible*: it also fits a healthy program; the caveats say which kind.
//! - *info*: worth knowing, but not a leak.
//!
//! # Invariants
//! - This crate has no clock, no I/O, no randomness and no threads, and no input makes it fail: the
//!   time and everything observed are in the inputs.
//! - The same inputs give the same [`Report`], however they are batched.
//! - A missing event never produces a finding. A finding names only sockets that the latest
//!   [`Snapshot`] showed open.
//! - Unknown is not evidence.
//! - [`Options`] bounds the memory; what did not fit is counted in [`Coverage`].
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod call_site_reason;
mod call_sites;
mod cap_reason;
mod caveat;
mod closing_times;
mod connection_id;
mod connection_view;
mod deadlines;
pub mod decode;
mod detector;
mod direction;
mod event;
mod evidence;
mod fair_queue;
mod fd_use;
mod finding_key;
mod finding_tracker;
mod group;
mod group_history;
mod group_size;
mod history;
mod input;
mod judge;
mod ledger;
mod limit;
mod not_connected;
mod note;
mod open_responses;
mod options;
mod probe;
mod process;
mod process_index;
mod processes;
mod question;
mod reader;
mod recently_closed;
mod repetition;
mod report;
pub mod rules;
mod selection;
mod separate_times;
mod snapshot;
mod snapshot_interval;
mod state;
mod stops;
mod table;
mod time;
mod timer;
mod tracked;
mod turnover;
mod verdict;
mod waits;

pub use call_site_reason::CallSiteReason;
pub use caveat::Caveat;
pub use connection_id::ConnectionId;
pub use detector::Detector;
pub use direction::Direction;
pub use event::{Actor, Event, EventKind};
pub use evidence::{CountOf, Counted, DurationRange, Evidence, Occurrence, Recurrence};
pub use fd_use::is_at_fd_limit;
pub use finding_key::{Destination, FindingFamily, FindingKey};
pub use input::{HostFacts, Input, Loss};
pub use ledger::{CallSite, Goroutines, HttpStream, Ledger, OpenResponse, StackId};
pub use limit::{AccessError, Limit};
pub use note::Note;
pub use options::Options;
pub use probe::{
    AttachError, AttachFailure, AttachMethod, AttachState, FallbackReason, Hook, Probe,
};
pub use process::{Comm, Container, ProcessFacts, ProcessKey};
pub use question::{Asked, NoAnswer, Question, QuestionKind, Subject};
pub use reader::{
    HolderKind, HttpConnection, HttpStage, Reachability, Reader, ReaderFacts, Readers,
    ResponseHolder,
};
pub use recently_closed::RecentlyClosed;
pub use report::{
    Change, ChangeKind, Connection, Coverage, Finding, Flag, Origin, ProcessSummary, Report,
};
pub use selection::{ObservedProcess, Selection};
pub use snapshot::{Holder, Owner, Owners, Snapshot, SocketFacts};
pub use snapshot_interval::SnapshotInterval;
pub use state::TcpState;
pub use time::{Interval, Timestamp};
pub use timer::Timer;
pub use verdict::{Confidence, Verdict};

#[cfg(test)]
mod tests;
