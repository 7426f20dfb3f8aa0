//! Collects snapshots and events from the kernel and `/proc`, as inputs for the detector.

pub(crate) mod backend;
pub mod filter;
pub(crate) mod inspection;
pub mod kernel;
pub(crate) mod ledger;
pub(crate) mod observer;
pub(crate) mod pace;
pub(crate) mod plan;
pub(crate) mod process_answers;
pub mod snapshot_builder;
pub(crate) mod sock_diag;
pub(crate) mod socket_records;
pub(crate) mod stacks;
pub(crate) mod target_processes;
