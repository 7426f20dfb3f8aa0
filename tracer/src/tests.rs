//! Whole runs of commands on a scripted host: from the command line to output, files and exit code.
//!
//! They require neither root nor a kernel with BPF, and their time is simulated. `tests/end_to_end`
//! tests the same commands on the real kernel.

mod csv_export;
mod exit_codes;
mod filters;
mod finding_events;
mod incident_reports;
mod json;
mod recordings;
mod retraction;
mod run;
mod tables;

/// Shared with the end-to-end tests.
#[path = "../tests/end_to_end/support/report.rs"]
#[expect(dead_code, reason = "not all of it is needed here")]
mod report;
#[path = "../tests/end_to_end/support/rows.rs"]
mod rows;

use crate::output::json::tests::validator;

/// A file descriptor.
type Fd = u32;
