//! The subcommands.

pub(crate) mod demo;
pub(crate) mod diff;
pub(crate) mod doctor;
pub(crate) mod inspect;
pub(crate) mod packaging;
pub mod replay;
pub(crate) mod report;
pub(crate) mod watch;
