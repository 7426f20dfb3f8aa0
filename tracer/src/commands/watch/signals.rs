//! The signals that end a run in order, and those that concern the screen.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use anyhow::Result;
use rustix::process::{getpid, kill_process};
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    low_level::{exit, register},
};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::output::standard_output;

/// What shells add to the number of a signal that ended a program.
const FAILED_BY_SIGNAL: i32 = 128;

/// What Ctrl-Z does to a program that does not care.
pub(super) fn stop_this_process() {
    let _ = kill_process(getpid(), rustix::process::Signal::STOP);
}

/// The signals that end a run in order, and those that concern the screen.
pub(super) struct Signals {
    hangup: Signal,
    interrupt: Signal,
    terminate: Signal,
    resized: Signal,
    suspended: Signal,
}

impl Signals {
    pub(super) fn new() -> Result<Self> {
        // A signal ends the run in order. While nobody takes what is being written that cannot be,
        // so a second one then ends it at once.
        let asked = Arc::new(AtomicBool::new(false));
        for number in [SIGHUP, SIGINT, SIGTERM] {
            let asked = Arc::clone(&asked);
            let action = move || {
                if asked.swap(true, Ordering::SeqCst) && standard_output::is_writing() {
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

    pub(super) async fn next(&mut self) -> Asked {
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
pub(super) enum Asked {
    End,
    Repaint,
    Suspend,
}
