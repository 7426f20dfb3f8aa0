//! The event loop. Inputs go one way: observer, judge, outlet. Time is asked for here.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::Result;
use rustix::process::{getpid, kill_process};
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    low_level::{exit, register},
};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    time::{Instant, sleep_until},
};
use tracer_core::{Input, Question, Report};

use crate::{
    cli::{Plan, Tape},
    clock,
    judge::Judge,
    observer::Observer,
    outlet::{self, Outlet, Shown},
    pace::Pace,
    recording::{Head, Recorder},
};

/// After this long no further process is looked into for readers at one look.
const READERS_MAX: Duration = Duration::from_secs(1);
/// What shells add to the number of a signal that ended a program.
const FAILED_BY_SIGNAL: i32 = 128;

/// Watches as planned, shows what is found, records it if there is a `tape`, and gives the report it
/// ended with.
///
/// # Errors
/// The first look failed, or the outlet or the recorder did.
pub(crate) async fn run(
    plan: &Plan,
    mut outlet: Outlet,
    tape: Option<(Tape, Head)>,
) -> Result<Report> {
    let mut signals = Signals::new()?;
    let mut session = Session::start(plan, tape)?;
    session.look()?;
    let end = plan.duration.and_then(|duration| Instant::now().checked_add(duration));
    let result = session.watch(&mut outlet, &mut signals, end).await;
    session.settle();
    let (report, changes) = session.judge.report();
    outlet.keep(&report, &changes);
    // What is in files is to be whole even if the screen is lost. Of several errors the first one
    // says most.
    let recorded = session.judge.finish();
    let finished = outlet.finish(&report);
    result.and(finished).and(recorded).map(|()| report)
}

struct Session {
    observer: Observer,
    judge: Judge,
    pace: Pace,
}

impl Session {
    fn start(plan: &Plan, tape: Option<(Tape, Head)>) -> Result<Self> {
        let (observer, host) = Observer::start(plan)?;
        // Only now: a run that cannot be is no reason to put an earlier recording aside.
        let record =
            |(tape, head): (Tape, Head)| Recorder::create(&tape.path, tape.max_bytes, head);
        let recorder = tape.map(record).transpose()?;
        // A recording that has to stay small is moved to a new file from time to time.
        observer.give_up_privileges(recorder.is_some())?;
        let mut judge = Judge::new(plan.options, recorder);
        judge.handle(host);
        let idle = Duration::from_millis(plan.options.idle_ms);
        Ok(Self { observer, judge, pace: Pace::new(plan.interval, idle) })
    }

    /// One look and one judgement.
    fn look(&mut self) -> Result<()> {
        self.take_events();
        let before = clock::processor_time();
        let snapshot = self.observer.snapshot()?;
        self.judge.handle(Input::Snapshot(snapshot));
        // What happened meanwhile may be in no snapshot yet.
        self.take_events();
        for ledger in self.observer.ledgers() {
            self.judge.handle(ledger);
        }
        let begin = Instant::now();
        let mut unanswered = 0;
        for question in self.judge.questions(clock::now()) {
            // What is left over is asked again after the next look.
            if matches!(question, Question::Readers(..)) && begin.elapsed() > READERS_MAX {
                unanswered += 1;
                continue;
            }
            if let Some(input) = self.observer.answer(&question) {
                self.judge.handle(input);
            }
        }
        self.judge.handle(Input::Unanswered(unanswered));
        self.judge.handle(Input::Tick(clock::now()));
        let took = clock::processor_time().saturating_sub(before);
        self.pace.look(took, self.judge.take_stir());
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
            let (report, changes) = self.judge.report();
            outlet.keep(&report, &changes);
            if outlet.show(&report)? == Shown::NobodyReads {
                return Ok(());
            }
            is_over = self.wait(outlet, signals, &report, end).await?;
            self.look_again();
            if let Some(note) = self.observer.end() {
                self.judge.handle(note);
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
            self.judge.handle(Input::Tick(clock::now()));
        }
    }

    /// At the end no connection with a verdict is left that may or may not be closed.
    fn settle(&mut self) {
        if self.judge.is_undecided() {
            self.look_again();
        }
    }

    fn take_events(&mut self) {
        for input in self.observer.events() {
            self.judge.handle(input);
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
                    if self.judge.take_stir() {
                        self.pace.stir();
                    }
                }
            }
        }
    }
}

/// What Ctrl-Z does to a program that does not care.
fn stop_this_process() {
    let _ = kill_process(getpid(), rustix::process::Signal::STOP);
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
