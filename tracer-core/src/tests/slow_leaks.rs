//! One leaked connection per 20 × `--idle`, thirty in total. The rounds of the zoo are too
//! short for this.

use std::{fmt::Write as _, format, string::String};

use super::timeline;
use crate::Options;

/// Thirty connections in ten hours, each used for one request, which the server closes after 5 s.
/// The process closes as many others, to the same server, right after their response.
const THIRTY: &str = "
    0s open a1..a30 every=20m pid=10
    0s send a1..a30 every=20m bytes=100
    1s receive a1..a30 every=20m bytes=600
    2s read a1..a30 every=20m
    6s peer-closes a1..a30 every=20m
    600s open b1..b29 every=20m pid=10
    600s send b1..b29 every=20m bytes=100
    601s receive b1..b29 every=20m bytes=600
    602s read b1..b29 every=20m
    603s close b1..b29 every=20m
    ";

/// Whether the report at the end has the expected *likely* finding.
fn is_likely(timeline: &str) -> bool {
    let report = timeline::run(timeline, Options::default());
    report.contains("close-wait likely: p10[10] outbound 10.0.0.1:443 x30")
}

/// An audit knows only the kernel's timestamps.
#[test]
fn an_audit_calls_all_thirty_likely() {
    for (first, second) in [(34_900, 34_903), (35_400, 35_403), (35_990, 35_993)] {
        let audit = format!("{first}s snapshot\n{second}s snapshot\n{second}s report");
        assert!(is_likely(&format!("0s lose-events{THIRTY}{audit}")), "at {first}s");
    }
}

#[test]
fn a_live_run_calls_all_thirty_likely() {
    let mut live = String::from(THIRTY);
    for minute in 0..600 {
        writeln!(live, "{minute}m snapshot").unwrap();
    }
    assert!(is_likely(&format!("{live}\n600m report")));
}
