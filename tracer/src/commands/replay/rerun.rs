use std::collections::BTreeSet;

use anyhow::{Result, bail};
use tracer_core::{Change, Detector, Input, Note, Options, Question, Report, Subject, Timestamp};

use crate::recording::{Ending, Recording, Step};

/// The result of analyzing a recording.
pub struct Rejudged {
    /// The last report.
    pub report: Report,
    /// The changes since the previous report.
    pub changes: Vec<Change>,
    pub(crate) ending: Ending,
}

/// Analyzes a recording again from its inputs, up to the report number `reports` if that is given.
/// `on_report` is called at each report with the detector and the changes since the previous
/// report.
///
/// # Errors
/// The file cannot be read, or ends before the first report.
pub fn rerun(
    mut recording: Recording,
    options: Options,
    reports: Option<u64>,
    mut on_report: impl FnMut(&Detector, &[Change]),
) -> Result<Rejudged> {
    let recorded = Options { all: options.all, ..recording.head().options };
    let mut rerun = Rerun {
        detector: Detector::new(options),
        unanswered: (options != recorded).then(BTreeSet::new),
        reports: 0,
    };
    while reports.is_none_or(|reports| rerun.reports < reports)
        && let Some(step) = recording.step()?
    {
        rerun.take(step, &mut on_report);
    }
    let changes = rerun.detector.take_changes();
    let mut report = rerun.detector.report();
    if report.at == Timestamp::default() {
        bail!("cannot analyze the recording: it ends before the first report");
    }
    report.coverage.notes.extend(recording.deleted());
    let ending = recording.ending().unwrap_or(Ending::Whole);
    report.coverage.notes.extend(note_of(ending));
    report.coverage.notes.extend(rerun.notes());
    Ok(Rejudged { report, changes, ending })
}

struct Rerun {
    detector: Detector,
    /// Questions without a recorded answer. `None` if the thresholds are those of the recording, in
    /// which case the questions are the same.
    unanswered: Option<BTreeSet<Subject>>,
    /// Number of reports so far.
    reports: u64,
}

impl Rerun {
    fn take(&mut self, step: Step, on_report: &mut impl FnMut(&Detector, &[Change])) {
        match step {
            Step::Input(input) => {
                if let (Some(unanswered), Some(subject)) = (&mut self.unanswered, answered(&input))
                {
                    unanswered.remove(&subject);
                }
                self.detector.handle(input);
            }
            Step::Asked(now) => {
                // Asking changes the state of the detector: it keeps track of the processes that it
                // has asked about.
                let questions = self.detector.questions(now);
                if let Some(unanswered) = &mut self.unanswered {
                    unanswered.extend(questions.iter().map(Question::subject));
                    // Questions that the run did not ask have no recorded answer.
                    self.detector.handle(Input::Unanswered(0));
                }
            }
            Step::Reported => {
                self.reports += 1;
                let changes = self.detector.take_changes();
                on_report(&self.detector, &changes);
            }
        }
    }

    fn notes(&self) -> Option<Note> {
        let unanswered = self.unanswered.as_ref()?.len();
        Some(Note::OtherThresholds { unanswered })
    }
}

fn answered(input: &Input) -> Option<Subject> {
    match input {
        Input::Process(facts) => Some(Subject::Process(facts.key)),
        Input::ProcessUnreadable(key) => Some(Subject::Process(*key)),
        Input::Readers(readers) => Some(Subject::Readers(readers.process)),
        Input::CallSite(answer) => Some(Subject::CallSite(answer.process, answer.stack)),
        Input::NoAnswer(subject, _) => Some(*subject),
        _ => None,
    }
}

fn note_of(ending: Ending) -> Option<Note> {
    match ending {
        Ending::Whole => None,
        Ending::Truncated => Some(Note::RecordingTruncated),
        // The error message after a replay distinguishes the two.
        Ending::Damaged(offset_bytes) | Ending::Unknown(offset_bytes) => {
            Some(Note::RecordingDamaged { offset_bytes })
        }
    }
}
