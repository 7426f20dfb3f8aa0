//! The event loop. Inputs go one way: observer, detector, output. Time is asked for here.

use std::time::Duration;

use anyhow::Result;
use tokio::time::{Instant, sleep_until};
use tracer_core::{Input, Question, Report};
use tracer_inspect::clock;

use super::{
    recorded_detector::RecordedDetector,
    signals::{Asked, Signals, stop_this_process},
};
use crate::{
    collect::{observer::Observer, pace::Pace, plan::Plan},
    output::{destination::Destination, options::RecordingOptions, standard_output::Shown},
    recording::{Head, Recorder},
};

/// After this long no further process is inspected for readers after one snapshot.
const READERS_MAX: Duration = Duration::from_secs(1);

/// Watches as planned, shows what is found, records it if there is a `recording`, and gives the report it
/// ended with.
///
/// # Errors
/// The first look failed, or the destination or the recorder did.
pub(crate) async fn run(
    plan: &Plan,
    mut destination: Destination,
    recording: Option<(RecordingOptions, Head)>,
) -> Result<Report> {
    let mut signals = Signals::new()?;
    let mut session = Session::start(plan, recording)?;
    session.look()?;
    let end = plan.duration.and_then(|duration| Instant::now().checked_add(duration));
    let result = session.watch(&mut destination, &mut signals, end).await;
    session.settle();
    let (report, changes) = session.detector.report();
    destination.keep(&report, &changes);
    // What is in files is to be whole even if the screen is lost. Of several errors the first one
    // says most.
    let recorded = session.detector.finish();
    let finished = destination.finish(&report);
    result.and(finished).and(recorded).map(|()| report)
}

struct Session {
    observer: Observer,
    detector: RecordedDetector,
    pace: Pace,
}

impl Session {
    fn start(plan: &Plan, recording: Option<(RecordingOptions, Head)>) -> Result<Self> {
        let (observer, host) = Observer::start(plan)?;
        // Only now: a run that cannot be is no reason to put an earlier recording aside.
        let record = |(recording, head): (RecordingOptions, Head)| {
            Recorder::create(&recording.path, recording.max_bytes, head)
        };
        let recorder = recording.map(record).transpose()?;
        // A recording that has to stay small is moved to a new file from time to time.
        observer.give_up_privileges(recorder.is_some())?;
        let mut detector = RecordedDetector::new(plan.options, recorder);
        detector.handle(host);
        let idle = Duration::from_millis(plan.options.idle_ms);
        Ok(Self { observer, detector, pace: Pace::new(plan.interval, idle) })
    }

    /// One look and one judgement.
    fn look(&mut self) -> Result<()> {
        self.take_events();
        let before = clock::processor_time();
        let snapshot = self.observer.snapshot()?;
        self.detector.handle(Input::Snapshot(snapshot));
        // What happened meanwhile may be in no snapshot yet.
        self.take_events();
        for ledger in self.observer.ledgers() {
            self.detector.handle(ledger);
        }
        let begin = Instant::now();
        let mut unanswered = 0;
        for question in self.detector.questions(clock::now()) {
            // What is left over is asked again after the next look.
            if matches!(question, Question::Readers(..)) && begin.elapsed() > READERS_MAX {
                unanswered += 1;
                continue;
            }
            if let Some(input) = self.observer.answer(&question) {
                self.detector.handle(input);
            }
        }
        self.detector.handle(Input::Unanswered(unanswered));
        self.detector.handle(Input::Tick(clock::now()));
        let took = clock::processor_time().saturating_sub(before);
        self.pace.look(took, self.detector.take_changed());
        Ok(())
    }

    /// Shows and looks in turn, until the time is up, a signal comes, nobody reads, or there is
    /// nothing more to see.
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
            if destination.show(&report)? == Shown::NobodyReads {
                return Ok(());
            }
            is_over = self.wait(destination, signals, &report, end).await?;
            self.look_again();
            if let Some(note) = self.observer.end() {
                self.detector.handle(note);
                is_over = true;
            }
        }
        Ok(())
    }

    /// A look that may fail: that is a loss like others.
    fn look_again(&mut self) {
        if let Err(error) = self.look() {
            log::warn!("a look failed: {error:#}");
            self.observer.note_failed_snapshot();
            self.take_events();
            self.detector.handle(Input::Tick(clock::now()));
        }
    }

    /// At the end no connection with a verdict is left that may or may not be closed.
    fn settle(&mut self) {
        if self.detector.is_undecided() {
            self.look_again();
        }
    }

    fn take_events(&mut self) {
        for input in self.observer.events() {
            self.detector.handle(input);
        }
    }

    /// Takes in events until it is time to look again. Gives true if a signal came to end the run,
    /// or the time is up.
    async fn wait(
        &mut self,
        destination: &mut Destination,
        signals: &mut Signals,
        report: &Report,
        end: Option<Instant>,
    ) -> Result<bool> {
        let started = Instant::now();
        // Events are fetched before each look in any case.
        let mut can_poll = true;
        loop {
            let look = started + self.pace.pause();
            let until = end.map_or(look, |end| end.min(look));
            tokio::select! {
                signal = signals.next() => match signal {
                    Asked::End => return Ok(true),
                    Asked::Repaint => drop(destination.repaint(report)?),
                    Asked::Suspend => {
                        destination.leave();
                        stop_this_process();
                        destination.repaint(report)?;
                    }
                },
                () = sleep_until(until) => return Ok(end.is_some_and(|end| until >= end)),
                result = self.observer.readable(), if can_poll => {
                    can_poll = result.is_ok();
                    self.take_events();
                    if self.detector.take_changed() {
                        self.pace.stir();
                    }
                }
            }
        }
    }
}
