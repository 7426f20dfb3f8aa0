//! The thresholds of a run: tracer's own, divided by the scale.

use std::process::Command;
use std::time::Duration;

use anyhow::{Result, ensure};

/// T: how long a connection must have been silent.
const IDLE: Duration = Duration::from_mins(1);
/// How long a pool must have been idle.
const POOL_IDLE: Duration = Duration::from_mins(5);
/// How long a count must have grown.
const GROWTH: Duration = Duration::from_mins(3);
/// How many things leak.
const COUNT: u32 = 25;
/// How long the server that closes idle connections waits; it does not scale.
const SERVER_IDLE: Duration = Duration::from_secs(5);

/// How long after that the connections of a client that does not close are dead: the kernel forgets
/// the server's end (`tcp_fin_timeout`), and the client's next keepalive probe is refused (Go and
/// Node probe every 30 s or more often). A connection on its way from CLOSE_WAIT to CLOSE is in
/// neither for long enough to be counted, so the audit waits until none is.
const DYING: Duration = Duration::from_secs(60 + 30);

/// Every duration of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pace {
    pub(crate) idle: Duration,
    pub(crate) pool_idle: Duration,
    pub(crate) growth: Duration,
}

impl Pace {
    /// # Errors
    /// If the scale is not above 0, or so large that the server's 5 s would be longer than T.
    pub(crate) fn scaled(scale: f64) -> Result<Self> {
        ensure!(
            scale > 0.0 && IDLE.as_secs_f64() / scale > SERVER_IDLE.as_secs_f64(),
            "the scale must be above 0 and below {}, because one server waits {SERVER_IDLE:?}",
            IDLE.as_secs() / SERVER_IDLE.as_secs()
        );
        let divided = |duration: Duration| duration.div_f64(scale);
        Ok(Self { idle: divided(IDLE), pool_idle: divided(POOL_IDLE), growth: divided(GROWTH) })
    }

    /// The pause between two things that leak.
    pub(crate) fn pause(&self) -> Duration {
        self.idle / 10
    }

    /// The longest that a program may take until it is ready: all leaks, and a slow start.
    pub(crate) fn ready_max(&self) -> Duration {
        self.pause() * COUNT * 2 + Duration::from_mins(2)
    }

    /// How long after the last program was ready T has passed since the server closed; connections
    /// are in CLOSE_WAIT then, where `ss` sees them best.
    pub(crate) fn closed(&self) -> Duration {
        self.idle + SERVER_IDLE
    }

    /// How long after the last program was ready every threshold has passed: T after the last
    /// connection died, or an idle pool; and two looks of the live tracer.
    pub(crate) fn settling(&self, with_dying: bool) -> Duration {
        let dead = SERVER_IDLE + if with_dying { DYING } else { Duration::ZERO };
        self.pool_idle.max(self.idle + dead) + Duration::from_secs(6)
    }

    /// Tells a program of the corpus.
    pub(crate) fn tell(&self, command: &mut Command) {
        command.env("CORPUS_PACE_MS", self.pause().as_millis().to_string());
        command.env("CORPUS_IDLE_MS", self.idle.as_millis().to_string());
        command.env("CORPUS_COUNT", COUNT.to_string());
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Pace;

    #[test]
    fn the_scale_divides_the_thresholds() {
        let pace = Pace::scaled(6.0).unwrap();
        assert_eq!(pace.idle, Duration::from_secs(10));
        assert_eq!(pace.pool_idle, Duration::from_secs(50));
        assert_eq!(pace.growth, Duration::from_secs(30));
        assert_eq!(pace.pause(), Duration::from_secs(1));
        assert_eq!(pace.settling(false), Duration::from_secs(56));
        assert_eq!(pace.settling(true), Duration::from_secs(111));
    }

    #[test]
    fn a_scale_must_leave_the_server_its_five_seconds() {
        for scale in [0.0, -1.0, 12.0, f64::NAN, f64::INFINITY] {
            assert!(Pace::scaled(scale).is_err(), "{scale}");
        }
    }
}
