//! Runs the built program against real processes with real sockets, on the running kernel.
//!
//! The peers are [`support::Puppet`]s, which execute the commands of a test. A test checks the
//! contract of the command line: exit codes, the JSON and CSV schemas, one-line errors. No test
//! asserts a duration; each waits for a condition, with a deadline that only a fault reaches.
//!
//! Behavior that does not depend on the kernel is tested on a scripted host in `src/tests`, and
//! without root in `tests/command_line`.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

mod attachment;
mod attribution;
mod audit;
mod call_sites;
mod churn;
mod containers;
mod csv_export;
mod degraded;
mod demo;
mod doctor;
mod exit_codes;
mod faults;
mod file_descriptors;
mod filters;
mod full_disk;
mod healthy_clients;
#[cfg(target_arch = "x86_64")]
mod hostile;
mod inspections;
mod leaks;
mod ledger;
mod live;
mod not_seen;
mod output;
mod privileges;
mod recordings;
#[cfg(target_arch = "x86_64")]
mod uninterruptible;
