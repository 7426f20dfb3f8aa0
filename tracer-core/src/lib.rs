//! The judge: inputs in, findings out.
//!
//! # Invariants
//! - There is no clock, no file, no terminal, no randomness and no thread here, and nothing fails:
//!   what time it is and what was seen arrive as [`Input`]s, in order.
//! - The same inputs give the same [`Report`], however they are batched.
//! - A missing event never makes a finding. A finding names only sockets that the latest
//!   [`Snapshot`] showed open.
//! - Memory is bounded by [`Options`]; what did not fit is counted in [`Coverage`].
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod call_sites;
mod connection_id;
pub mod decode;
mod detector;
mod direction;
pub mod duration;
mod event;
mod group;
mod history;
mod input;
mod judge;
mod ledger;
mod moments;
mod options;
mod pages;
mod process;
mod processes;
mod reader;
mod report;
mod rules;
mod sighting;
mod snapshot;
mod standing;
mod state;
mod table;
mod time;
mod timer;
mod tracked;
mod turns;
mod verdict;

pub use connection_id::ConnectionId;
pub use detector::{Asked, Detector, Question};
pub use direction::Direction;
pub use event::{Actor, Event, Happening};
pub use input::{HostFacts, Input, Loss};
pub use ledger::{CallSite, Goroutines, HttpStream, Ledger, OpenResponse, StackId};
pub use options::Options;
pub use process::{Comm, Container, ProcessFacts, ProcessKey};
pub use reader::{Held, HttpConnection, HttpStage, Reader, ReaderFacts, Readers};
pub use report::{
    Change, ChangeKind, Connection, Coverage, Finding, Flag, Origin, ProcessSummary, Report,
};
pub use snapshot::{Holder, Owner, Owners, Snapshot, SocketFacts};
pub use state::TcpState;
pub use time::{Interval, Timestamp};
pub use timer::Timer;
pub use verdict::{Confidence, Verdict};

#[cfg(test)]
mod tests;
