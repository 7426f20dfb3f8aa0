//! The detector of a run, and the recording of its inputs and questions, if there is one.

use std::{collections::BTreeSet, mem};

use anyhow::Result;
use tracer_core::{Change, Detector, Input, Options, Question, Report, StackId, Timestamp};

use crate::recording::Recorder;

/// Every call of the detector goes through this type, so a recording contains all of them in order.
pub(crate) struct RecordedDetector {
    detector: Detector,
    recorder: Option<Recorder>,
}

impl RecordedDetector {
    pub(crate) fn new(options: Options, recorder: Option<Recorder>) -> Self {
        Self { detector: Detector::new(options), recorder }
    }

    pub(crate) fn handle(&mut self, input: Input) {
        if let Some(recorder) = &mut self.recorder {
            recorder.input(&input);
        }
        self.detector.handle(input);
    }

    pub(crate) fn questions(&mut self, now: Timestamp) -> Vec<Question> {
        if let Some(recorder) = &mut self.recorder {
            recorder.asked(now);
        }
        self.detector.questions(now)
    }

    /// The stacks that a later question may be about.
    pub(crate) fn stacks(&self) -> BTreeSet<StackId> {
        self.detector.stacks()
    }

    /// The current report, and the changes since the previous one.
    pub(crate) fn report(&mut self) -> (Report, Vec<Change>) {
        let mut report = self.detector.report();
        if let Some(recorder) = &mut self.recorder {
            recorder.reported();
            report.coverage.notes.extend(recorder.note());
        }
        (report, self.detector.take_changes())
    }

    pub(crate) const fn take_changed(&mut self) -> bool {
        self.detector.take_changed()
    }

    pub(crate) fn is_undecided(&self) -> bool {
        self.detector.is_undecided()
    }

    /// Ends the recording.
    ///
    /// # Errors
    /// There is a recording, and it is incomplete.
    pub(crate) fn finish(self) -> Result<()> {
        // The process exits soon, and the kernel frees its memory faster than a million calls of
        // `free` would.
        mem::forget(self.detector);
        self.recorder.map_or(Ok(()), Recorder::finish)
    }
}
