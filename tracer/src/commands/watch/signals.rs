//! The signals that end a run, and those that affect the screen.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use anyhow::Result;
use rustix::process::{getpid, kill_process};
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    low_level::{exit, register},
};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracer_inspect::clock;

/// Shells report the exit code of a program that was ended by a signal as this plus the signal
/// number.
const EXITED_BY_SIGNAL: i32 = 128;

/// Signals that follow the first one this closely are the same request: `timeout` and `sudo` can send
/// one to the process and to its group.
const SAME_SIGNAL_NS: u64 = 250_000_000;

/// Stops this process, which is the default action of Ctrl-Z.
pub(super) fn stop_this_process() {
    let _ = kill_process(getpid(), rustix::process::Signal::STOP);
}

/// The signals that end a run, and those that affect the screen.
pub(super) struct Signals(Option<ProcessSignals>);

struct ProcessSignals {
    hangup: Signal,
    interrupt: Signal,
    terminate: Signal,
    resized: Signal,
    suspended: Signal,
}

impl Signals {
    /// No signals.
    #[cfg(test)]
    pub(super) const fn none() -> Self {
        Self(None)
    }

    /// The signals of this process. The first one that ends a run does so after a last report.
    ///
    /// # Errors
    /// A signal handler cannot be installed.
    pub(super) fn of_process() -> Result<Self> {
        // The first signal ends the run after a last report. A second signal exits immediately.
        let first_ns = Arc::new(AtomicU64::new(0));
        for number in [SIGHUP, SIGINT, SIGTERM] {
            let first_ns = Arc::clone(&first_ns);
            let action = move || {
                let now = clock::now().as_ns();
                let first = first_ns.compare_exchange(0, now, Ordering::SeqCst, Ordering::SeqCst);
                if first.is_err_and(|first| now.saturating_sub(first) > SAME_SIGNAL_NS) {
                    exit(EXITED_BY_SIGNAL + number);
                }
            };
            // SAFETY: the action uses only atomics, the clock (`clock_gettime`) and `_exit`, which
            // are async-signal-safe.
            unsafe { register(number, action) }?;
        }
        Ok(Self(Some(ProcessSignals {
            hangup: signal(SignalKind::hangup())?,
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            resized: signal(SignalKind::window_change())?,
            suspended: signal(SignalKind::from_raw(libc::SIGTSTP))?,
        })))
    }

    pub(super) async fn next(&mut self) -> SignalRequest {
        let Some(signals) = &mut self.0 else { return std::future::pending().await };
        tokio::select! {
            _ = signals.hangup.recv() => SignalRequest::End,
            _ = signals.interrupt.recv() => SignalRequest::End,
            _ = signals.terminate.recv() => SignalRequest::End,
            _ = signals.resized.recv() => SignalRequest::Repaint,
            _ = signals.suspended.recv() => SignalRequest::Suspend,
        }
    }
}

/// What a signal requests.
pub(super) enum SignalRequest {
    End,
    Repaint,
    Suspend,
}
