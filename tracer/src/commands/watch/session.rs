//! The event loop: inputs go from the observer to the detector, and reports from the detector to
//! the output.

use std::time::Duration;

use anyhow::Result;
use tokio::time::{Instant, sleep_until};
use tracer_core::{Input, Question, Report};

use super::{
    recorded_detector::RecordedDetector,
    signals::{SignalRequest, Signals, stop_this_process},
};
use crate::{
    collect::{backend::BackendSource, observer::Observer, pace::Pace, plan::Plan},
    output::{destination::Destination, options::RecordingOptions, standard_output::Shown},
    recording::{Head, Recorder},
};

/// Time limit for inspecting processes for readers after one snapshot.
const READERS_MAX: Duration = Duration::from_secs(1);

/// Watches as planned, shows reports, records the run if `recording` is given, and returns the last
/// report.
///
/// # Errors
/// The first snapshot, the output or the recording failed.
pub(crate) async fn run(
    plan: &Plan,
    backend: BackendSource,
    mut destination: Destination,
    recording: Option<(RecordingOptions, Head)>,
) -> Result<Report> {
    let mut signals = signals(&backend)?;
    let mut session = Session::start(plan, backend, recording)?;
    session.take_snapshot()?;
    let end = plan.duration.and_then(|duration| Instant::now().checked_add(duration));
    let result = session.watch(&mut destination, &mut signals, end).await;
    session.settle();
    let (report, changes) = session.detector.report();
    destination.keep(&report, &changes);
    // The files are completed even if the terminal is gone. If there are several errors, the first
    // one is reported.
    let recorded = session.detector.finish();
    let finished = destination.finish(&report);
    result.and(finished).and(recorded).map(|()| report)
}

/// The signals that a run reacts to.
fn signals(backend: &BackendSource) -> Result<Signals> {
    match backend {
        BackendSource::Host => Signals::of_process(),
        #[cfg(test)]
        BackendSource::Scripted(_) => Ok(Signals::none()),
    }
}

struct Session {
    observer: Observer,
    detector: RecordedDetector,
    pace: Pace,
    /// CPU time of this process after the judgment of the latest snapshot.
    cpu_time: Duration,
}

impl Session {
    fn start(
        plan: &Plan,
        backend: BackendSource,
        recording: Option<(RecordingOptions, Head)>,
    ) -> Result<Self> {
        let (observer, host) = Observer::start(plan, backend)?;
        // Created only after the observer has started: if it cannot start, an existing recording is
        // not renamed.
        let record = |(recording, head): (RecordingOptions, Head)| {
            Recorder::create(&recording.path, recording.max_bytes, head)
        };
        let recorder = recording.map(record).transpose()?;
        // A recording with a size limit is rewritten to a new file from time to time.
        observer.drop_privileges(recorder.is_some())?;
        let mut detector = RecordedDetector::new(plan.options, recorder);
        detector.handle(host);
        let idle = Duration::from_millis(plan.options.idle_ms);
        Ok(Self {
            observer,
            detector,
            pace: Pace::new(plan.interval, idle),
            cpu_time: Duration::ZERO,
        })
    }

    /// Takes a snapshot, answers the questions that follow from it, and judges.
    fn take_snapshot(&mut self) -> Result<()> {
        self.take_events();
        let begin = self.observer.cpu_time();
        let snapshot = self.observer.snapshot()?;
        let taken = self.observer.cpu_time();
        let sockets = snapshot.sockets.len();
        self.detector.handle(Input::Snapshot(snapshot));
        // Events that occurred during the snapshot may not be in it.
        self.take_events();
        for ledger in self.observer.ledgers() {
            self.detector.handle(ledger);
        }
        let reconciled = self.observer.cpu_time();
        let inspections = self.answer_questions();
        let answered = self.observer.cpu_time();
        self.detector.handle(Input::Tick(self.observer.now()));
        self.observer.drop_stacks(|| self.detector.stacks());
        let judged = self.observer.cpu_time();
        // Work since the previous snapshot counts as well: events, reports, output.
        let cpu_time = judged.saturating_sub(self.cpu_time);
        self.cpu_time = judged;
        log::debug!(
            "snapshot of {sockets} sockets: {cpu_time:?} of CPU time since the one before, of which \
             reading {:?}, table {:?}, questions {:?}, answers {inspections:?}, judgment {:?}",
            taken.saturating_sub(begin),
            reconciled.saturating_sub(taken),
            answered.saturating_sub(reconciled).saturating_sub(inspections),
            judged.saturating_sub(answered),
        );
        self.pace.snapshot_taken(cpu_time, self.detector.take_changed());
        Ok(())
    }

    /// Answers the questions that follow from a snapshot, as far as time permits. Returns the CPU
    /// time used.
    fn answer_questions(&mut self) -> Duration {
        let questions = self.detector.questions(self.observer.now());
        let started = self.observer.cpu_time();
        // When the inspection of the first process for readers began. Identifying processes comes
        // earlier and does not count toward the limit.
        let mut first: Option<Instant> = None;
        let mut unanswered = 0;
        for question in questions {
            if matches!(question, Question::Readers(..)) {
                // The detector asks again after the next snapshot.
                if first.get_or_insert_with(Instant::now).elapsed() > READERS_MAX {
                    unanswered += 1;
                    continue;
                }
            }
            if let Some(input) = self.observer.answer(&question) {
                self.detector.handle(input);
            }
        }
        self.detector.handle(Input::Unanswered(unanswered));
        self.observer.cpu_time().saturating_sub(started)
    }

    /// Alternates between showing a report and taking a snapshot, until the time is up, a signal
    /// arrives, the reader of standard output has exited, or all target processes have exited.
    async fn watch(
        &mut self,
        destination: &mut Destination,
        signals: &mut Signals,
        end: Option<Instant>,
    ) -> Result<()> {
        let mut is_over = end.is_some_and(|end| end <= Instant::now());
        while !is_over {
            let (report, changes) = self.detector.report();
            destination.keep(&report, &changes);
            if destination.show(&report)? == Shown::NoReader {
                return Ok(());
            }
            is_over = self.wait(destination, signals, &report, end).await?;
            self.try_snapshot();
            if let Some(note) = self.observer.end() {
                self.detector.handle(note);
                is_over = true;
            }
        }
        Ok(())
    }

    /// Takes a snapshot. A failure is counted as a loss and does not end the run.
    fn try_snapshot(&mut self) {
        if let Err(error) = self.take_snapshot() {
            log::warn!("a snapshot failed: {error:#}");
            self.observer.note_failed_snapshot();
            self.take_events();
            self.detector.handle(Input::Tick(self.observer.now()));
        }
    }

    /// Takes a last snapshot if a connection with a verdict may have been closed since the latest
    /// one.
    fn settle(&mut self) {
        if self.detector.is_undecided() {
            self.try_snapshot();
        }
    }

    /// Takes the pending events, and what was lost.
    fn take_events(&mut self) {
        self.take_only_events();
        if let Some(losses) = self.observer.losses() {
            self.detector.handle(losses);
        }
    }

    fn take_only_events(&mut self) {
        let detector = &mut self.detector;
        self.observer.events(|input| detector.handle(input));
    }

    /// Processes events until the next snapshot is due. Returns true if a signal ends the run, or
    /// the time is up.
    async fn wait(
        &mut self,
        destination: &mut Destination,
        signals: &mut Signals,
        report: &Report,
        end: Option<Instant>,
    ) -> Result<bool> {
        let started = Instant::now();
        // If polling fails, events are still read before each snapshot.
        let mut can_poll = true;
        loop {
            let next = started + self.pace.pause();
            let until = end.map_or(next, |end| end.min(next));
            tokio::select! {
                signal = signals.next() => match signal {
                    SignalRequest::End => return Ok(true),
                    SignalRequest::Repaint => drop(destination.repaint(report)?),
                    SignalRequest::Suspend => {
                        destination.leave();
                        stop_this_process();
                        destination.repaint(report)?;
                    }
                },
                () = sleep_until(until) => return Ok(end.is_some_and(|end| until >= end)),
                result = self.observer.readable(), if can_poll => {
                    can_poll = result.is_ok();
                    self.take_only_events();
                    if self.detector.take_changed() {
                        self.pace.event_arrived();
                    }
                }
            }
        }
    }
}
