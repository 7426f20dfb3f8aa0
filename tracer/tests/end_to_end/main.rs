//! Runs the built program against real processes with real sockets, on the running kernel.
//!
//! The other ends are [`support::Puppet`]s, which do what a test tells them. What a test expects is
//! the contract of the command line: exit codes, the JSON and CSV schemas, one-line errors. No test
//! asserts a time; each waits for a condition, with a deadline that only a fault reaches.

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
mod errors;
mod exit_codes;
mod faults;
mod filters;
mod healthy_clients;
mod incident;
mod leaks;
mod ledger;
mod live;
mod output;
mod privileges;
mod puppet;
mod recordings;
