mod arbitrary;
mod damage;
mod deleted_segments;
mod every_input;
mod rejudged;
mod replays;
mod size;

use std::path::PathBuf;

use proptest::prelude::*;
use tempfile::TempDir;
use tracer_core::{Options, Timestamp};

use super::{Ending, Recorder, Recording, Step, crafted::head};

/// A recording in a directory of its own.
struct TestFile(TempDir);

impl TestFile {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("run.rec")
    }

    fn record(&self, steps: &[Step], max_bytes: Option<u64>) {
        let mut recorder = Recorder::create(&self.path(), max_bytes, head()).unwrap();
        for step in steps {
            write(&mut recorder, step);
        }
        recorder.finish().unwrap();
    }

    fn read(&self) -> (Vec<Step>, Ending) {
        read(Recording::open(&self.path()).unwrap())
    }
}

fn write(recorder: &mut Recorder, step: &Step) {
    match step {
        Step::Input(input) => recorder.input(input),
        Step::Asked(now) => recorder.asked(*now),
        Step::Reported => recorder.reported(),
    }
}

fn read(mut recording: Recording) -> (Vec<Step>, Ending) {
    let mut steps = Vec::new();
    while let Some(step) = recording.step().unwrap() {
        steps.push(step);
    }
    (steps, recording.ending().unwrap())
}

proptest! {
    #[test]
    fn what_is_read_is_what_was_written(steps in arbitrary::steps()) {
        let test = TestFile::new();
        test.record(&steps, None);
        prop_assert_eq!(test.read(), (steps, Ending::Whole));
        let recording = Recording::open(&test.path()).unwrap();
        prop_assert_eq!(recording.head(), &head());
    }
}
