//! The event loop. Inputs go one way: observer, detector, outlet. Time is asked for here.

use std::time::Duration;

use anyhow::Result;
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    time::{Instant, sleep_until},
};
use tracer_core::{Detector, Input, Report};

use crate::{
    cli::Plan,
    clock,
    observer::Observer,
    outlet::{Outlet, Shown},
};

/// Looking takes one part in this many of a processor at the most: looks get rarer where there is
/// much to see.
const LOOK_SHARE: u32 = 100;
/// They do not get rarer than this.
const LOOK_PAUSE_MAX: Duration = Duration::from_secs(30);

/// Watches as planned, shows what is found, and gives the report it ended with.
///
/// # Errors
/// The first look failed, or the outlet did.
pub(crate) async fn run(plan: &Plan, mut outlet: Outlet) -> Result<Report> {
    let mut signals = Signals::new()?;
    let mut session = Session::start(plan)?;
    let end = plan.duration.map(|duration| Instant::now() + duration);
    let mut ended = plan.duration == Some(Duration::ZERO);
    session.look()?;
    let report = loop {
        let report = session.detector.report();
        let shown = match outlet.progress(&report, &session.detector.take_changes()) {
            Ok(shown) => shown,
            Err(error) => {
                // The record in the file is to be whole even if the screen is lost. Of two
                // errors the first one says more.
                let _ = outlet.finish(&report);
                return Err(error);
            }
        };
        if ended || shown == Shown::NobodyReads {
            break report;
        }
        ended = session.wait(&mut signals, end).await || session.observer.is_over();
        if let Err(error) = session.look() {
            log::warn!("a look failed: {error:#}");
            session.observer.note_failed_snapshot();
            session.take_events();
            session.detector.handle(Input::Tick(clock::now()));
        }
    };
    outlet.finish(&report)?;
    Ok(report)
}

struct Session {
    observer: Observer,
    detector: Detector,
    /// How often to look, by the plan.
    interval: Duration,
    /// Until the next look.
    pause: Duration,
}

impl Session {
    fn start(plan: &Plan) -> Result<Self> {
        let (observer, host) = Observer::start(plan)?;
        let mut detector = Detector::new(plan.options);
        detector.handle(host);
        Ok(Self { observer, detector, interval: plan.interval, pause: plan.interval })
    }

    /// One look and one judgement.
    fn look(&mut self) -> Result<()> {
        self.take_events();
        let before = clock::processor_time();
        let snapshot = self.observer.snapshot()?;
        self.detector.handle(Input::Snapshot(snapshot));
        // What happened meanwhile may be in no snapshot yet.
        self.take_events();
        for question in self.detector.questions(clock::now()) {
            if let Some(input) = self.observer.answer(question) {
                self.detector.handle(input);
            }
        }
        self.detector.handle(Input::Tick(clock::now()));
        let took = clock::processor_time().saturating_sub(before);
        let longest = self.interval.max(LOOK_PAUSE_MAX);
        self.pause = took.saturating_mul(LOOK_SHARE).clamp(self.interval, longest);
        Ok(())
    }

    fn take_events(&mut self) {
        for input in self.observer.events() {
            self.detector.handle(input);
        }
    }

    /// Takes in events until it is time to look again. Gives true if the run is to end: the time
    /// is up, or a signal came.
    async fn wait(&mut self, signals: &mut Signals, end: Option<Instant>) -> bool {
        let look = Instant::now() + self.pause;
        let until = end.map_or(look, |end| end.min(look));
        loop {
            tokio::select! {
                () = signals.any() => return true,
                () = sleep_until(until) => return end.is_some_and(|end| until >= end),
                result = self.observer.readable() => match result {
                    Ok(()) => self.take_events(),
                    // Events are fetched before each look, too.
                    Err(error) => {
                        log::warn!("the ring buffer cannot be polled: {error}");
                        sleep_until(until).await;
                    }
                },
            }
        }
    }
}

/// The signals that end a run in order.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn new() -> Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn any(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
