//! Analyzing a recording with thresholds other than the recorded ones.

use std::sync::Arc;

use tracer_core::{Detector, HostFacts, Input, Note, Report, Snapshot, SocketFacts, Timestamp};

use super::{deleted_segments::socket, *};
use crate::commands::replay::rerun;

/// A snapshot 30s after data was received that is still unread, on more connections than
/// `--min-count`.
fn steps() -> Vec<Step> {
    let at = Timestamp::from_ms(100_000);
    let received_at = Some(Timestamp::from_ms(70_000));
    let unread = |id| SocketFacts {
        unread_bytes: 8_192,
        rx_bytes: 8_192,
        drained: false,
        last_sent_at: received_at,
        last_received_at: received_at,
        ..socket(id, at)
    };
    let sockets: Vec<Arc<SocketFacts>> = (1..=6).map(unread).map(Arc::new).collect();
    let holders = tracer_core::Holder::of(&sockets);
    let snapshot =
        Snapshot { started_at: at, ended_at: at, sockets, holders, ..Snapshot::default() };
    vec![
        Step::Input(Input::Host(HostFacts::default())),
        Step::Input(Input::Snapshot(snapshot)),
        Step::Asked(at),
        Step::Input(Input::Tick(at)),
        Step::Reported,
    ]
}

/// The report with this `--idle`.
fn rejudged(idle_ms: u64) -> Report {
    let test = TestFile::new();
    test.record(&steps(), None);
    let options = Options { idle_ms, ..Options::default() };
    let recording = Recording::open(&test.path()).unwrap();
    rerun(recording, options, None, |_, _| {}).unwrap().report
}

#[test]
fn the_same_thresholds_give_the_report_of_the_run() {
    let mut detector = Detector::new(Options::default());
    for step in steps() {
        match step {
            Step::Input(input) => detector.handle(input),
            Step::Asked(now) => drop(detector.questions(now)),
            Step::Reported => {}
        }
    }
    assert_eq!(rejudged(Options::default().idle_ms), detector.report());
}

#[test]
fn other_thresholds_note_the_questions_without_an_answer() {
    let report = rejudged(10_000);
    // Process facts and readers of the process.
    assert_eq!(report.coverage.notes.last(), Some(&Note::OtherThresholds { unanswered: 2 }));
}
