//! Judging a recording by other thresholds than when it was made.

use tracer_core::{Detector, HostFacts, Input, Report, Snapshot, SocketFacts, Timestamp};

use super::{dropping::socket, *};
use crate::commands::replay::rerun;

/// Half a minute after data came that nobody reads, on more connections than it takes.
fn steps() -> Vec<Step> {
    let at = Timestamp::from_ms(100_000);
    let came_at = Some(Timestamp::from_ms(70_000));
    let unread = |id| SocketFacts {
        unread_bytes: 8_192,
        rx_bytes: 8_192,
        drained: false,
        last_sent_at: came_at,
        last_received_at: came_at,
        ..socket(id, at)
    };
    let sockets: Vec<Box<SocketFacts>> = (1..=6).map(unread).map(Box::new).collect();
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

/// What comes of it with T of so many milliseconds.
fn rejudged(idle_ms: u64) -> Report {
    let place = Place::new();
    place.record(&steps(), None);
    let options = Options { idle_ms, ..Options::default() };
    let recording = Recording::open(&place.path()).unwrap();
    rerun(recording, options, None, |_, _| {}).unwrap().report
}

#[test]
fn by_the_same_thresholds_it_is_what_the_run_said() {
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
fn what_was_not_asked_then_is_said_to_be_unknown() {
    let report = rejudged(10_000);
    let notes = report.coverage.notes.join("\n");
    assert!(notes.contains("by other thresholds"), "{notes}");
    assert!(notes.contains("2 of the questions"), "what the process is, and who reads: {notes}");
}
