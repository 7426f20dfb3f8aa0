//! The event loop: inputs go from the observer to the detector, and reports from the detector to
//! the output.

mod ledgers;

use std::time::Duration;

use anyhow::Result;
use tokio::time::{Instant, sleep, sleep_until};
use tracer_core::{Input, Report, Subject};

use self::ledgers::Lists;
use super::{
    recorded_detector::RecordedDetector,
    signals::{SignalRequest, Signals, stop_this_process},
};
use crate::{
    collect::{
        backend::BackendSource,
        observer::Observer,
        pace::{CpuTime, Pace},
        plan::Plan,
    },
    output::{destination::Destination, options::RecordingOptions, standard_output::Shown, words},
    print_on_stderr,
    recording::{Head, Recorder},
};

/// CPU time for inspecting processes for readers after one snapshot. The detector asks the
/// remaining questions again after the next one. If the run ends because its time is up, the limit
/// after the last snapshot is `--inspect-for` instead.
const READERS_MAX: Duration = Duration::from_secs(1);
/// How long a judgment waits for answers. Most arrive within a few milliseconds; those that arrive
/// later are judged then.
const ANSWERS_PAUSE: Duration = Duration::from_millis(200);

/// Removing uprobes is mentioned if it takes at least this long after the end of the run.
const REMOVAL_SHOWN_MIN: Duration = Duration::from_secs(1);

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
    session.take_snapshot(plan.duration == Some(Duration::ZERO), &mut signals).await?;
    let end = plan.duration.and_then(|duration| Instant::now().checked_add(duration));
    let result = session.watch(&mut destination, &mut signals, end).await;
    session.settle(&mut signals).await;
    // In a live run, the processes that these are about stay as they were judged last.
    session.give_up_answers();
    let (report, changes) = session.detector.report();
    destination.keep(&report, &changes);
    // The files are completed even if the terminal is gone. If there are several errors, the first
    // one is reported.
    let recorded = session.detector.finish();
    let finished = destination.finish(&report);
    if let Some(left) = session.observer.end_observation()
        && left.duration >= REMOVAL_SHOWN_MIN
    {
        print_on_stderr(&words::uprobes_left(left.count, left.duration));
    }
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

#[expect(clippy::struct_excessive_bools, reason = "independent states")]
struct Session {
    observer: Observer,
    detector: RecordedDetector,
    pace: Pace,
    /// CPU time of this process and of inspections after the judgment of the latest snapshot.
    cpu_time: Duration,
    /// CPU time of inspections alone, at the same time.
    inspection_time: Duration,
    /// CPU time of inspections when the latest questions were asked.
    asked_at: Duration,
    /// How long the last judgment waits for answers, unless the run was ended.
    inspect_for: Duration,
    /// Whether this is the last judgment, and it waits for all answers.
    waits_for_all: bool,
    /// Whether a snapshot has been taken.
    has_snapshot: bool,
    /// Whether answers have arrived since the latest judgment.
    has_answers: bool,
    lists: Lists,
    /// When the pause before the next snapshot began.
    paused_since: Option<Instant>,
    /// Whether a signal, or the reader of standard output, has ended the run.
    is_ended: bool,
}

/// What a pause between two snapshots ended with.
enum Waited {
    /// All late answers have arrived and were judged.
    Answered,
    /// The next snapshot is due.
    SnapshotDue,
    /// The run is over.
    RunOver,
}

impl Session {
    fn start(
        plan: &Plan,
        backend: BackendSource,
        recording: Option<(RecordingOptions, Head)>,
    ) -> Result<Self> {
        let (mut observer, host) = Observer::start(plan, backend)?;
        // Created only after the observer has started: if it cannot start, an existing recording is
        // not renamed.
        let record = |(recording, head): (RecordingOptions, Head)| {
            Recorder::create(&recording.path, recording.max_bytes, head)
        };
        let recorder = recording.map(record).transpose()?;
        observer.drop_privileges(recorder.as_ref().is_some_and(Recorder::replaces_file))?;
        let mut detector = RecordedDetector::new(plan.options, recorder);
        detector.handle(host);
        detector.handle(Input::Selection(plan.filter.selection()));
        Ok(Self {
            observer,
            detector,
            pace: Pace::new(plan.interval, Duration::from_millis(plan.options.idle_ms)),
            cpu_time: Duration::ZERO,
            inspection_time: Duration::ZERO,
            asked_at: Duration::ZERO,
            inspect_for: plan.inspect_for,
            waits_for_all: false,
            has_snapshot: false,
            has_answers: false,
            lists: Lists::default(),
            paused_since: None,
            is_ended: false,
        })
    }

    /// Takes a snapshot, asks the questions that follow from it, and judges. `is_last` says that no
    /// other snapshot follows.
    async fn take_snapshot(&mut self, is_last: bool, signals: &mut Signals) -> Result<()> {
        self.paused_since = None;
        self.judge_answers();
        self.take_events();
        let begin = self.observer.cpu_time();
        let snapshot = self.observer.snapshot()?;
        let taken = self.observer.cpu_time();
        let sockets = snapshot.sockets.len();
        if !std::mem::replace(&mut self.has_snapshot, true) {
            for note in self.observer.omitted_descendants(&snapshot) {
                self.detector.handle(note);
            }
        }
        self.detector.handle(Input::Snapshot(snapshot));
        // Events that occurred during the snapshot may not be in it.
        self.take_events();
        self.asked_at = self.observer.inspection_time();
        self.take_ledgers(is_last, signals).await;
        let reconciled = self.observer.cpu_time();
        self.asked_at = self.observer.inspection_time();
        self.ask_questions();
        self.wait_for_answers(is_last, signals).await;
        let answered = self.observer.cpu_time();
        self.judge();
        self.observer.drop_stacks(|| self.detector.stacks());
        let judged = self.observer.cpu_time();
        // Work since the previous snapshot counts as well: events, reports, output, inspections.
        let cpu_time = judged.saturating_sub(self.cpu_time);
        let inspected = self.observer.inspection_time();
        let inspections = inspected.saturating_sub(self.inspection_time);
        (self.cpu_time, self.inspection_time) = (judged, inspected);
        log::debug!(
            "snapshot of {sockets} sockets: {cpu_time:?} of CPU time since the one before, of which \
             reading {:?}, table {:?}, questions and answers {:?}, judgment {:?}",
            taken.saturating_sub(begin),
            reconciled.saturating_sub(taken),
            answered.saturating_sub(reconciled),
            judged.saturating_sub(answered),
        );
        let tracer = cpu_time.saturating_sub(inspections);
        self.pace.snapshot_taken(CpuTime { tracer, inspections }, self.detector.take_changed());
        Ok(())
    }

    fn ask_questions(&mut self) {
        for question in self.detector.questions(self.observer.now()) {
            self.observer.ask(&question);
        }
    }

    fn judge(&mut self) {
        self.has_answers = false;
        self.detector.handle(Input::Tick(self.observer.now()));
    }

    /// Takes the answers that have arrived.
    fn take_answers(&mut self) {
        let taken = self.observer.inspection_time().saturating_sub(self.asked_at);
        if taken > READERS_MAX && !self.waits_for_all {
            self.observer.give_up_readers();
        }
        for answer in self.observer.answers() {
            let is_list =
                matches!(answer, Input::Ledger(_) | Input::NoAnswer(Subject::Responses(_), _));
            if is_list && !self.lists.are_taken {
                self.lists.late.push(answer);
                continue;
            }
            self.has_answers = true;
            self.detector.handle(answer);
        }
    }

    /// Judges again if answers have arrived since the latest judgment: afterwards, questions about
    /// the same processes are asked again.
    fn judge_answers(&mut self) {
        self.take_answers();
        if self.has_answers {
            self.judge();
        }
    }

    /// Takes answers and events for a short time. The last judgment waits for longer, and the report
    /// says which answers are missing.
    async fn wait_for_answers(&mut self, is_last: bool, signals: &mut Signals) {
        self.wait_while(Observer::is_awaiting_answers, ANSWERS_PAUSE, is_last, signals).await;
        if is_last && !self.is_ended {
            self.give_up_answers();
        }
    }

    /// Takes answers and events while some are awaited, for the length of a `pause` at most.
    async fn wait_while(
        &mut self,
        is_awaiting: fn(&Observer) -> bool,
        pause: Duration,
        is_last: bool,
        signals: &mut Signals,
    ) {
        // After Ctrl-C, the last judgment does not wait for all answers.
        self.waits_for_all = is_last && !self.is_ended;
        let limit = sleep(if self.waits_for_all { self.inspect_for } else { pause });
        tokio::pin!(limit);
        let mut can_poll = true;
        self.take_answers();
        while is_awaiting(&self.observer) {
            tokio::select! {
                () = self.observer.answered() => self.take_answers(),
                () = &mut limit => break,
                signal = signals.next() => match signal {
                    SignalRequest::End => {
                        self.is_ended = true;
                        break;
                    }
                    SignalRequest::Suspend => stop_this_process(),
                    // The report that follows is painted for the new size.
                    SignalRequest::Repaint => {}
                },
                result = self.observer.readable(), if can_poll => {
                    can_poll = result.is_ok();
                    self.take_only_events();
                }
            }
        }
    }

    /// Gives up the questions that have no answer yet; the report says so.
    fn give_up_answers(&mut self) {
        self.observer.give_up_answers();
        self.take_answers();
        self.pass_on_late_lists();
    }

    /// Alternates between showing a report and taking a snapshot, until the time is up, a signal
    /// arrives, the reader of standard output has exited, or all target processes have exited.
    async fn watch(
        &mut self,
        destination: &mut Destination,
        signals: &mut Signals,
        end: Option<Instant>,
    ) -> Result<()> {
        let mut is_over = self.is_ended || end.is_some_and(|end| end <= Instant::now());
        while !is_over {
            let (report, changes) = self.detector.report();
            destination.keep(&report, &changes);
            if destination.show(&report)? == Shown::NoReader {
                self.is_ended = true;
                return Ok(());
            }
            is_over = match self.wait(destination, signals, &report, end).await? {
                Waited::Answered => continue,
                Waited::SnapshotDue => false,
                Waited::RunOver => true,
            };
            self.try_snapshot(is_over, signals).await;
            is_over |= self.is_ended;
            if let Some(note) = self.observer.end() {
                self.detector.handle(note);
                is_over = true;
            }
        }
        Ok(())
    }

    /// Takes a snapshot. A failure is counted as a loss and does not end the run.
    async fn try_snapshot(&mut self, is_last: bool, signals: &mut Signals) {
        if let Err(error) = self.take_snapshot(is_last, signals).await {
            log::warn!("a snapshot failed: {error:#}");
            self.observer.count_failed_snapshot();
            self.take_events();
            self.detector.handle(Input::Tick(self.observer.now()));
        }
    }

    /// Takes a last snapshot if a connection with a verdict may have been closed since the latest
    /// one.
    async fn settle(&mut self, signals: &mut Signals) {
        if self.detector.is_undecided() {
            self.try_snapshot(true, signals).await;
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

    /// Processes events until the next snapshot is due, all late answers have been judged, a signal
    /// ends the run, or the time is up.
    async fn wait(
        &mut self,
        destination: &mut Destination,
        signals: &mut Signals,
        report: &Report,
        end: Option<Instant>,
    ) -> Result<Waited> {
        let started = *self.paused_since.get_or_insert_with(Instant::now);
        // If polling fails, events are still read before each snapshot.
        let mut can_poll = true;
        self.follow_up();
        loop {
            let next = started + self.pace.pause();
            let until = end.map_or(next, |end| end.min(next));
            tokio::select! {
                signal = signals.next() => match signal {
                    SignalRequest::End => {
                        self.is_ended = true;
                        return Ok(Waited::RunOver);
                    }
                    SignalRequest::Repaint => drop(destination.repaint(report)?),
                    SignalRequest::Suspend => {
                        destination.leave();
                        stop_this_process();
                        destination.repaint(report)?;
                    }
                },
                () = sleep_until(until) => {
                    let is_over = end.is_some_and(|end| until >= end);
                    return Ok(if is_over { Waited::RunOver } else { Waited::SnapshotDue });
                }
                () = self.observer.answered(), if self.observer.is_awaiting_answers() => {
                    self.take_answers();
                    self.follow_up();
                    if !self.observer.is_awaiting_answers() {
                        self.judge_answers();
                        return Ok(Waited::Answered);
                    }
                }
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
