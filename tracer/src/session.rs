//! The event loop. Inputs go one way: observer, detector, outlet. Time is asked for here.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::Result;
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    low_level::{exit, register},
};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    time::{Instant, sleep_until},
};
use tracer_core::{Detector, Input, Question, Report};

use crate::{
    cli::Plan,
    clock,
    observer::Observer,
    outlet::{self, Outlet, Shown},
    pace::Pace,
};

/// After this long no further process is looked into for readers at one look.
const READERS_MAX: Duration = Duration::from_secs(1);
/// What shells add to the number of a signal that ended a program.
const FAILED_BY_SIGNAL: i32 = 128;

/// Watches as planned, shows what is found, and gives the report it ended with.
///
/// # Errors
/// The first look failed, or the outlet did.
pub(crate) async fn run(plan: &Plan, mut outlet: Outlet) -> Result<Report> {
    let mut signals = Signals::new()?;
    let mut session = Session::start(plan)?;
    session.look()?;
    let end = plan.duration.and_then(|duration| Instant::now().checked_add(duration));
    let result = session.watch(&mut outlet, &mut signals, end).await;
    session.settle();
    let report = session.detector.report();
    outlet.keep(&report, &session.detector.take_changes());
    // The record in the file is to be whole even if the screen is lost. Of two errors the first
    // one says more.
    let finished = outlet.finish(&report);
    result.and(finished).map(|_| report)
}

struct Session {
    observer: Observer,
    detector: Detector,
    pace: Pace,
}

impl Session {
    fn start(plan: &Plan) -> Result<Self> {
        let (observer, host) = Observer::start(plan)?;
        let mut detector = Detector::new(plan.options);
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
        self.pace.look(took, self.detector.take_stir());
        Ok(())
    }

    /// Shows and looks in turn, until the time is up, a signal comes, nobody reads, or there is
    /// nothing more to see.
    async fn watch(
        &mut self,
        outlet: &mut Outlet,
        signals: &mut Signals,
        end: Option<Instant>,
    ) -> Result<()> {
        let mut is_over = end.is_some_and(|end| end <= Instant::now());
        while !is_over {
            let report = self.detector.report();
            outlet.keep(&report, &self.detector.take_changes());
            if outlet.show(&report)? == Shown::NobodyReads {
                return Ok(());
            }
            is_over = self.wait(outlet, signals, &report, end).await?;
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
        outlet: &mut Outlet,
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
                    Asked::Repaint => drop(outlet.repaint(report)?),
                    Asked::Suspend => {
                        outlet.leave();
                        stop_this_process();
                        outlet.repaint(report)?;
                    }
                },
                () = sleep_until(until) => return Ok(end.is_some_and(|end| until >= end)),
                result = self.observer.readable(), if can_poll => {
                    can_poll = result.is_ok();
                    self.take_events();
                    if self.detector.take_stir() {
                        self.pace.stir();
                    }
                }
            }
        }
    }
}

/// What Ctrl-Z does to a program that does not care.
fn stop_this_process() {
    // SAFETY: sending a signal touches no memory of ours.
    unsafe { libc::raise(libc::SIGSTOP) };
}

/// The signals that end a run in order, and those that concern the screen.
struct Signals {
    hangup: Signal,
    interrupt: Signal,
    terminate: Signal,
    resized: Signal,
    suspended: Signal,
}

impl Signals {
    fn new() -> Result<Self> {
        // A signal ends the run in order. While nobody takes what is being written that cannot be,
        // so a second one then ends it at once.
        let asked = Arc::new(AtomicBool::new(false));
        for number in [SIGHUP, SIGINT, SIGTERM] {
            let asked = Arc::clone(&asked);
            let action = move || {
                if asked.swap(true, Ordering::SeqCst) && outlet::is_writing() {
                    exit(FAILED_BY_SIGNAL + number);
                }
            };
            // SAFETY: the action uses atomics and `_exit`, which a signal handler may.
            unsafe { register(number, action) }?;
        }
        Ok(Self {
            hangup: signal(SignalKind::hangup())?,
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            resized: signal(SignalKind::window_change())?,
            suspended: signal(SignalKind::from_raw(libc::SIGTSTP))?,
        })
    }

    async fn next(&mut self) -> Asked {
        tokio::select! {
            _ = self.hangup.recv() => Asked::End,
            _ = self.interrupt.recv() => Asked::End,
            _ = self.terminate.recv() => Asked::End,
            _ = self.resized.recv() => Asked::Repaint,
            _ = self.suspended.recv() => Asked::Suspend,
        }
    }
}

/// What a signal asks for.
enum Asked {
    End,
    Repaint,
    Suspend,
}
