//! Tracks when a process was stopped or frozen, from the answers about it.

use crate::Timestamp;

/// When a process was last known to be running and to be stopped.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Stops {
    /// When the latest answer said that the process was running.
    running_at: Option<Timestamp>,
    /// If the process is stopped: the earliest time at which it may have been stopped, which is
    /// when it was last known to be running.
    stopped_since: Option<Timestamp>,
    /// When the process was first seen running again, and the longest time for which it may have
    /// been stopped, in milliseconds.
    resumed: Option<(Timestamp, u64)>,
}

/// Why a process cannot have acted on its connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// The process is stopped.
    Stopped,
    /// The process was stopped and resumed, and has been running for less time than it was stopped.
    Resumed {
        /// How long ago the process was first seen running again, in milliseconds.
        ago_ms: u64,
    },
}

impl Stops {
    /// Updates the state with an answer as of `at`.
    pub(crate) fn observe(&mut self, is_stopped: bool, at: Timestamp) {
        if is_stopped {
            // A process that was never known to be running may have been stopped for any length of
            // time.
            self.stopped_since.get_or_insert(self.running_at.unwrap_or_default());
            return;
        }
        if let Some(since) = self.stopped_since.take() {
            self.resumed = Some((at, at.ms_since(since)));
        }
        self.running_at = Some(at);
    }

    /// Why the process cannot have acted on its connections. After it resumes, its connections are
    /// capped for an equal time, but at most for `idle_ms`.
    pub(crate) fn stop(&self, now: Timestamp, idle_ms: u64) -> Option<Stop> {
        if self.stopped_since.is_some() {
            return Some(Stop::Stopped);
        }
        let (at, stopped_ms) = self.resumed?;
        let ago_ms = now.ms_since(at);
        (ago_ms < stopped_ms.min(idle_ms)).then_some(Stop::Resumed { ago_ms })
    }
}

#[test]
fn a_process_that_runs_again_gets_as_much_time_as_it_was_stopped_for() {
    let at = |seconds: u64| Timestamp::from_ms(1_000_000 + seconds * 1_000);
    let stop = |stops: &Stops, seconds| stops.stop(at(seconds), 60_000);
    let mut stops = Stops::default();
    stops.observe(false, at(0));
    assert_eq!(stop(&stops, 1), None);
    stops.observe(true, at(10));
    stops.observe(true, at(20));
    assert_eq!(stop(&stops, 20), Some(Stop::Stopped));
    stops.observe(false, at(30));
    assert_eq!(stop(&stops, 59), Some(Stop::Resumed { ago_ms: 29_000 }));
    assert_eq!(stop(&stops, 60), None);

    // At most `--idle`, even if nothing is known about the time before.
    let mut stops = Stops::default();
    stops.observe(true, at(500));
    stops.observe(false, at(501));
    assert_eq!(stop(&stops, 560), Some(Stop::Resumed { ago_ms: 59_000 }));
    assert_eq!(stop(&stops, 561), None);
}
