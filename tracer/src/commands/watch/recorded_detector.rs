//! The detector of a run, and the recording of what it is told and asked, if there is one.

use std::mem;

use anyhow::Result;
use tracer_core::{Change, Detector, Input, Options, Question, Report, Timestamp};

use crate::recording::Recorder;

/// Whatever the detector sees goes through here, in order, so that a recording holds just that.
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

    /// How things stand, and what has changed since this was asked last.
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
    /// There is one, and it is not whole.
    pub(crate) fn finish(self) -> Result<()> {
        // The run is over, and the kernel takes memory faster than it can be given back by pieces.
        mem::forget(self.detector);
        self.recorder.map_or(Ok(()), Recorder::finish)
    }
}
