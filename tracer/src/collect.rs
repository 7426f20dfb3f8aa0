//! What the kernel reports and what `/proc` says, as inputs for the detector.

pub(crate) mod backend;
pub(crate) mod filter;
pub(crate) mod kernel;
pub(crate) mod ledger;
pub(crate) mod observer;
pub(crate) mod pace;
pub(crate) mod plan;
pub(crate) mod snapshot_builder;
pub(crate) mod sock_diag;
pub(crate) mod target_processes;
