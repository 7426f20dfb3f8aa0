//! Answers that arrive late, or never.

use std::{
    collections::{BTreeMap, BTreeSet},
    vec,
    vec::Vec,
};

use proptest::prelude::*;

use super::{
    patterns::cases,
    properties::{Action, facts, history, options, play, reader},
};
use crate::{
    ChangeKind, Confidence, ConnectionId, Detector, Input, Ledger, NoAnswer, Note, Question,
    Readers, Report, Subject, Timestamp, Verdict,
};

/// Maximum number of judgments by which an answer is late.
const LATE_MAX: usize = 3;
/// Snapshots at the end of a history in which nothing happens and every answer is in time.
const QUIET: usize = 12;

/// A run whose answers are late.
struct LateRun<'a> {
    detector: Detector,
    /// By how many judgments each answer is late; the list is repeated.
    late: &'a [usize],
    asked: usize,
    /// Answers that have not arrived, with the judgment before which they do.
    pending: Vec<(usize, Input)>,
    judgments: usize,
    /// The connections that have a verdict, by the changes.
    flagged: BTreeSet<ConnectionId>,
}

impl<'a> LateRun<'a> {
    fn new(late: &'a [usize]) -> Self {
        let detector = Detector::new(options());
        Self {
            detector,
            late,
            asked: 0,
            pending: Vec::new(),
            judgments: 0,
            flagged: BTreeSet::new(),
        }
    }

    /// Returns the report, if the input is a judgment.
    fn handle(&mut self, input: Input) -> Option<Report> {
        match input {
            // Only questions have answers.
            Input::Process(_) => None,
            Input::Tick(at) => {
                for question in self.detector.questions(at) {
                    let late = self.late.get(self.asked % self.late.len().max(1)).copied();
                    self.asked += 1;
                    let due = self.judgments + late.unwrap_or(0);
                    self.pending.push((due, answer(&question, at)));
                }
                self.deliver();
                self.detector.handle(input);
                self.judgments += 1;
                // Some arrive while nothing else happens.
                if self.deliver() {
                    self.detector.handle(Input::Tick(at));
                }
                let report = self.detector.report();
                for change in self.detector.take_changes() {
                    match change.kind {
                        ChangeKind::Flagged => self.flagged.insert(change.connection.id),
                        _ => self.flagged.remove(&change.connection.id),
                    };
                }
                let reported = report.findings.iter().flat_map(|it| &it.connections);
                let reported: BTreeSet<_> = reported.map(|it| it.id).collect();
                assert_eq!(reported, self.flagged, "changes add up to the report");
                Some(report)
            }
            input => {
                self.detector.handle(input);
                None
            }
        }
    }
}

impl LateRun<'_> {
    /// Passes on the answers that are due. Returns whether there were some.
    fn deliver(&mut self) -> bool {
        let before = self.pending.len();
        let due: Vec<_> = self.pending.extract_if(.., |(due, _)| *due <= self.judgments).collect();
        for (_, answer) in due {
            self.detector.handle(answer);
        }
        self.pending.len() < before
    }
}

fn answer(question: &Question, at: Timestamp) -> Input {
    match question {
        Question::Process(key) => Input::Process(facts(key.pid)),
        Question::Readers(process, asked) => Input::Readers(Readers {
            process: *process,
            at,
            found: asked.iter().filter_map(|asked| reader(asked.id)).collect(),
            goroutines: None,
            limits: Vec::new(),
        }),
        Question::CallSite(..) => Input::NoAnswer(question.subject(), NoAnswer::Ended),
    }
}

/// The confidence of each connection in the report.
fn confidences(report: &Report) -> BTreeMap<ConnectionId, Confidence> {
    let mut confidences = BTreeMap::new();
    for finding in &report.findings {
        for connection in &finding.connections {
            let known = confidences.entry(connection.id).or_insert(finding.confidence);
            *known = finding.confidence.max(*known);
        }
    }
    confidences
}

/// The verdict on each connection.
fn verdicts(report: &Report) -> BTreeMap<ConnectionId, Verdict> {
    let active = report.findings.iter().filter(|finding| finding.retracted_at.is_none());
    active
        .flat_map(|finding| finding.connections.iter().map(|it| (it.id, finding.verdict)))
        .collect()
}

/// The report at each judgment.
fn reports(history: &[(u32, Action)], late: &[usize]) -> Vec<Report> {
    let mut run = LateRun::new(late);
    play(history, &[]).1.into_iter().filter_map(|input| run.handle(input)).collect()
}

/// A history in which all answers arrive within `--idle`, after which they would be invalid.
fn dense_history() -> impl Strategy<Value = Vec<(u32, Action)>> {
    let dense = |(wait_ms, action)| (wait_ms / 10, action);
    history().prop_map(move |history| history.into_iter().map(dense).collect())
}

/// How many questions have no answer, according to each report of a history in which none is
/// answered.
fn unanswered(history: &[(u32, Action)]) -> Vec<u64> {
    let mut detector = Detector::new(options());
    let mut counts = Vec::new();
    for input in play(history, &[]).1 {
        match input {
            Input::Process(_) => {}
            Input::Tick(at) => {
                for question in detector.questions(at) {
                    detector.handle(Input::NoAnswer(question.subject(), NoAnswer::OutOfTime));
                }
                detector.handle(input);
                let notes = detector.report().coverage.notes.into_iter();
                let counted = notes.map(|note| match note {
                    Note::NoAnswer { count, .. } => count,
                    _ => 0,
                });
                counts.push(counted.sum());
            }
            input => detector.handle(input),
        }
    }
    counts
}

#[test]
fn questions_that_are_no_longer_asked_are_not_counted_as_unanswered() {
    let names = 0..6_u8;
    let open = |name| (0, Action::Open { name, pid: 1, inbound: false, remote: 0 });
    let receive = |name| (0, Action::Receive { name, bytes: 100 });
    let close = |name| (0, Action::Close { name });
    let mut history: Vec<_> = names.clone().map(open).chain(names.clone().map(receive)).collect();
    history.push((60_000, Action::Snapshot));
    history.push((2_000, Action::Snapshot));
    // Without sockets, a process is forgotten.
    history.extend([open(7)]);
    history.extend(names.map(close));
    history.push((2_000, Action::Snapshot));

    let counts = unanswered(&history);

    assert_eq!(counts[2], 0, "{counts:?}");
    assert!(counts[0] > 0 && counts[1] == counts[0], "{counts:?}");
}

#[test]
fn a_process_is_not_judged_while_its_open_responses_are_read() {
    let names = 0..6_u8;
    let open = |name| (0, Action::Open { name, pid: 1, inbound: false, remote: 0 });
    let receive = |name| (0, Action::Receive { name, bytes: 10_000 });
    let mut history: Vec<_> = names.clone().map(open).chain(names.map(receive)).collect();
    history.extend([(60_000, Action::Snapshot), (2_000, Action::Snapshot)]);
    let process = facts(1).key;
    let ledger =
        |at| vec![Input::Ledger(Ledger { process, at, open: Vec::new(), limits: Vec::new() })];
    let no_answers = |reasons: &'static [NoAnswer]| {
        let no_answer = move |reason| Input::NoAnswer(Subject::Responses(process), reason);
        move |_| reasons.iter().copied().map(no_answer).collect()
    };
    let found = |ending: &dyn Fn(Timestamp) -> Vec<Input>| {
        let mut detector = Detector::new(options());
        let mut ticks = 0;
        for input in play(&history, &[]).1 {
            match input {
                Input::Process(_) => {}
                Input::Tick(at) => {
                    ticks += 1;
                    detector.handle(Input::ResponsesAwaited(process));
                    for question in detector.questions(at) {
                        detector.handle(answer(&question, at));
                    }
                    detector.handle(Input::Tick(at));
                    assert!(ticks > 1 || detector.report().findings.is_empty());
                    for input in ending(at) {
                        detector.handle(input);
                        detector.handle(Input::Tick(at));
                    }
                }
                input => detector.handle(input),
            }
        }
        let Report { findings, coverage, .. } = detector.report();
        (
            !findings.is_empty(),
            coverage.notes.iter().any(|note| matches!(note, Note::NoAnswer { .. })),
        )
    };
    assert_eq!(found(&ledger), (true, false));
    assert_eq!(found(&no_answers(&[NoAnswer::Ended])), (true, false));
    assert_eq!(found(&no_answers(&[NoAnswer::Failed])), (true, true));
    // The program that the process now runs has no responses.
    assert_eq!(found(&no_answers(&[NoAnswer::Failed, NoAnswer::Ended])), (true, false));
}

proptest! {
    #![proptest_config(cases(100))]

    /// No finding has a higher confidence than it would have if answers were in time, or than it
    /// had when the process was last judged; and once the answers have arrived, the findings are
    /// the same.
    #[test]
    fn late_answers_make_no_finding_surer(
        history in dense_history(),
        late in proptest::collection::vec(0..=LATE_MAX, 1..40),
    ) {
        let in_time = reports(&history, &[]);
        let delayed = reports(&history, &late);
        prop_assert_eq!(in_time.len(), delayed.len());
        let in_time: Vec<_> = in_time.iter().map(confidences).collect();
        for (number, report) in delayed.iter().enumerate() {
            let before = &in_time[..=number];
            for (id, confidence) in confidences(report) {
                let surest = before.iter().filter_map(|known| known.get(&id)).max();
                // A connection may get another verdict meanwhile, but none that says "leak".
                let is_leak = confidence > Confidence::Possible;
                prop_assert!(!is_leak || Some(&confidence) <= surest, "{number}: {id} {surest:?}");
            }
        }
    }

    /// Once answers are in time again, the verdicts are the same as if they had always been, and
    /// none has a higher confidence.
    #[test]
    fn late_answers_change_nothing_in_the_end(
        history in dense_history(),
        late in proptest::collection::vec(0..=LATE_MAX, 1..40),
    ) {
        let quiet = vec![(2_000, Action::Snapshot); QUIET];
        let inputs = play(&[&history[..], &quiet].concat(), &[]).1;
        let end = inputs.iter().rposition(|it| matches!(it, Input::Tick(_))).unwrap_or(0);
        let mut in_time = LateRun::new(&[]);
        let mut delayed = LateRun::new(&late);
        let judgments = inputs.iter().filter(|it| matches!(it, Input::Tick(_))).count();
        for input in inputs.into_iter().take(end + 1) {
            if delayed.judgments + QUIET >= judgments {
                delayed.late = &[];
            }
            in_time.handle(input.clone());
            delayed.handle(input);
        }
        let (in_time, delayed) = (in_time.detector.report(), delayed.detector.report());
        let surest = confidences(&in_time);
        let delayed_verdicts = verdicts(&delayed);
        prop_assert!(verdicts(&in_time).keys().eq(delayed_verdicts.keys()));
        for (id, verdict) in verdicts(&in_time) {
            let delayed = delayed_verdicts[&id];
            // What was once *likely* stays so. When the answer arrived, another connection that
            // had made it *likely* may have been closed.
            let stays = surest[&id] > Confidence::Possible && delayed == Verdict::StalePool;
            prop_assert!(verdict == delayed || stays, "{id} {verdict:?} {delayed:?}");
        }
        for (id, confidence) in confidences(&delayed) {
            prop_assert!(Some(&confidence) <= surest.get(&id), "{id} {confidence:?}");
        }
    }
}
