//! Recordings of earlier formats, made by the programs that wrote them, replay to the findings that
//! those programs reported, except that what was confirmed by the stacks of goroutines alone is no
//! longer *certain*.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    path::Path,
    sync::Arc,
};

use tracer_core::Report;

use super::*;
use crate::{
    commands::replay::rerun,
    output::words,
    recording::{block, wire::Version},
};

fn directory() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/recordings"))
}

fn open(name: &str) -> Recording {
    let file = File::open(directory().join(name)).unwrap();
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
            "body-not-closed likely 16 billing main.doSomething billing.go:10",
            "abandoned possible 1 billing -",
        ]
    );
}

#[test]
fn format_3_whose_first_segment_was_deleted() {
    assert_eq!(open("v3-max-size.rec").head().segment, 1);
    let report = replay("v3-max-size.rec");
    assert_eq!(findings(&report), ["undrained likely 60 demo-client leak client.rs:22"]);
    assert_eq!(report.coverage.notes.len(), 3, "{:?}", report.coverage.notes);
}

#[test]
fn format_3_with_every_input() {
    assert_eq!(read(open("v3-every-input.rec")), (without_last_reads(), Ending::Whole));
}

#[test]
fn hooks_of_format_3_have_names() {
    let report = replay("v3-every-input.rec");
    let probes: Vec<String> = report.coverage.probes.iter().map(words::probe).collect();
    assert_eq!(probes, ["inet_sock_set_state: tp_btf", "accept: not attached"]);
}

#[test]
fn format_4_of_a_native_client_that_reads_no_response() {
    let report = replay("v4-demo.rec");
    assert_eq!(findings(&report), ["undrained likely 60 demo-client leak client.rs:22"]);
    assert!(report.coverage.notes.is_empty(), "{:?}", report.coverage.notes);
}

#[test]
fn format_4_of_a_go_client_that_closes_no_response() {
    let report = replay("v4-go.rec");
    assert_eq!(
        findings(&report),
        [
            "body-not-closed likely 16 billing main.doSomething billing.go:10",
            "abandoned possible 2 billing -",
        ]
    );
}

#[test]
fn format_4_with_every_input() {
    assert_eq!(read(open("v4-every-input.rec")), (without_last_reads(), Ending::Whole));
}

#[test]
fn format_5_with_every_input() {
    assert_eq!(read(open("v5-every-input.rec")), (without_last_reads(), Ending::Whole));
}

#[test]
fn format_6_with_every_input() {
    assert_eq!(read(open("v6-every-input.rec")), (every_input::steps(), Ending::Whole));
}

#[test]
fn format_7_with_every_input() {
    assert_eq!(read(open("v7-every-input.rec")), (every_input::steps_of_format_7(), Ending::Whole));
}

#[test]
fn format_8_with_every_input() {
    assert_eq!(read(open("v8-every-input.rec")), (every_input::steps_of_format_8(), Ending::Whole));
}

#[test]
fn format_9_with_every_input() {
    assert_eq!(read(open("v9-every-input.rec")), (every_input::steps_of_format_9(), Ending::Whole));
}

/// The file is written if it is missing, and never changed afterwards: what was recorded must stay
/// readable.
#[test]
fn format_10_with_every_input() {
    const NAME: &str = "v10-every-input.rec";
    let path = directory().join(NAME);
    if Version::CURRENT == Version::V10 && !path.exists() {
        let test = TestFile::new();
        test.record(&every_input::steps_of_format_10(), None);
        fs::copy(test.path(), path).unwrap();
    }
    assert_eq!(read(open(NAME)), (every_input::steps_of_format_10(), Ending::Whole));
}

/// The inputs as recorded before format 6, without the times of reads.
fn without_last_reads() -> Vec<Step> {
    let mut steps = every_input::steps();
    for step in &mut steps {
        if let Step::Input(tracer_core::Input::Snapshot(snapshot)) = step {
            for facts in &mut snapshot.sockets {
                Arc::make_mut(facts).last_read_at = None;
            }
        }
    }
    steps
}

/// A new version of the format begins with recordings of the previous one.
#[test]
fn there_are_recordings_of_every_version() {
    let mut versions = BTreeSet::new();
    for entry in fs::read_dir(directory()).unwrap() {
        let path = entry.unwrap().path();
        let version = block::version(&fs::read(&path).unwrap()).unwrap();
        let name = path.file_name().unwrap().to_string_lossy();
        assert!(name.starts_with(&format!("v{version}-")), "{name} is of version {version}");
        versions.insert(version);
    }
    let known: BTreeSet<u16> = Version::ALL.into_iter().map(Version::number).collect();
    assert_eq!(versions, known);
}

#[test]
fn every_input_is_read_as_it_was_written() {
    let test = TestFile::new();
    test.record(&every_input::steps_of_format_10(), None);
    assert_eq!(test.read(), (every_input::steps_of_format_10(), Ending::Whole));
}
