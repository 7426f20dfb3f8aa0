//! Recordings of earlier formats, made by the programs that wrote them, replay to the findings that
//! those programs reported.

use std::{fs::File, path::PathBuf};

use tracer_core::Report;

use super::*;
use crate::commands::replay::rerun;

fn open(name: &str) -> Recording {
    let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/recordings")).join(name);
    let file = File::open(&path).unwrap();
    Recording::read(file, name.to_owned()).unwrap()
}

fn replay(name: &str) -> Report {
    let recording = open(name);
    let options = recording.head().options;
    rerun(recording, options, None, |_, _| {}).unwrap().report
}

/// Verdict, confidence, count, process and call site of each finding.
fn findings(report: &Report) -> Vec<String> {
    let findings = report.findings.iter();
    let line = findings.map(|finding| {
        let (verdict, confidence) = (finding.verdict, finding.confidence);
        let (count, comm) = (finding.count, &finding.comm.0);
        let call_site = finding.call_site.as_deref().unwrap_or("-");
        format!("{verdict} {confidence} {count} {comm} {call_site}")
    });
    line.collect()
}

#[test]
fn format_3_of_a_native_client_that_reads_no_response() {
    let report = replay("v3-demo.rec");
    assert_eq!(findings(&report), ["undrained likely 60 demo-client leak client.rs:22"]);
    assert!(report.coverage.notes.is_empty(), "{:?}", report.coverage.notes);
}

#[test]
fn format_3_of_a_go_client_that_closes_no_response() {
    let report = replay("v3-go.rec");
    assert_eq!(
        findings(&report),
        [
            "body-not-closed certain 16 billing main.doSomething billing.go:10",
            "abandoned certain 1 billing -",
        ]
    );
}

#[test]
fn format_3_whose_first_segment_was_deleted() {
    assert_eq!(open("v3-max-size.rec").head().segment, 1);
    let report = replay("v3-max-size.rec");
    assert_eq!(findings(&report), ["undrained likely 60 demo-client leak client.rs:22"]);
    assert_eq!(report.coverage.notes.len(), 2, "{:?}", report.coverage.notes);
}

#[test]
fn format_3_with_every_input() {
    assert_eq!(read(open("v3-every-input.rec")), (every_input::steps(), Ending::Whole));
}

#[test]
fn every_input_is_read_as_it_was_written() {
    let test = TestFile::new();
    test.record(&every_input::steps(), None);
    assert_eq!(test.read(), (every_input::steps(), Ending::Whole));
}
