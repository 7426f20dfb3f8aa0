//! The durations of a run: tracer's thresholds, divided by the scale.

use std::process::Command;
use std::time::Duration;

use anyhow::{Result, ensure};

/// `--idle`: how long a connection must have been idle.
const IDLE: Duration = Duration::from_mins(1);
/// `--pool-idle`: how long a pool must have been idle.
const POOL_IDLE: Duration = Duration::from_mins(5);
/// `--growth-for`: how long a count must have grown.
const GROWTH: Duration = Duration::from_mins(3);
/// How many connections a program leaks.
const COUNT: u32 = 25;
/// After this long, one of the servers closes idle connections. It is not divided.
const SERVER_IDLE: Duration = Duration::from_secs(5);

/// How long after that all connections that the client does not close are dead: the kernel drops
/// the server's side after `tcp_fin_timeout`, and the client's next keepalive probe is answered
/// with RST (Go and Node probe at least every 30s). A connection that goes from CLOSE_WAIT to CLOSE
/// in the meantime is in neither state for long enough to be counted, so the audit waits until all
/// are closed.
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
    /// If the scale is not above 0, or so large that the server's 5s exceed `--idle`.
    pub(crate) fn scaled(scale: f64) -> Result<Self> {
        ensure!(
            scale > 0.0 && IDLE.as_secs_f64() / scale > SERVER_IDLE.as_secs_f64(),
            "the scale must be above 0 and below {}, because a server waits {SERVER_IDLE:?}",
            IDLE.as_secs() / SERVER_IDLE.as_secs()
        );
        let divided = |duration: Duration| duration.div_f64(scale);
        Ok(Self { idle: divided(IDLE), pool_idle: divided(POOL_IDLE), growth: divided(GROWTH) })
    }

    /// The pause between two leaks of a program.
    pub(crate) fn pause(&self) -> Duration {
        self.idle / 10
    }

    /// How long a program may take until it is ready: the time for a slow start and all of its
    /// leaks.
    pub(crate) fn ready_max(&self) -> Duration {
        self.pause() * COUNT * 2 + Duration::from_mins(2)
    }

    /// The time, after the last program was ready, at which the server has closed its connections
    /// and `--idle` has passed. Connections are then in CLOSE_WAIT, where `ss` shows them.
    pub(crate) fn closed(&self) -> Duration {
        self.idle + SERVER_IDLE
    }

    /// The time, after the last program was ready, at which all thresholds have passed: `--idle`
    /// after the last connection died, or `--pool-idle`; and two snapshots of the live tracer.
    pub(crate) fn settling(&self, with_dying: bool) -> Duration {
        let dead = SERVER_IDLE + if with_dying { DYING } else { Duration::ZERO };
        self.pool_idle.max(self.idle + dead) + Duration::from_secs(6)
    }

    /// Sets the environment variables that pass these durations to the programs of the corpus.
    pub(crate) fn set_environment(&self, command: &mut Command) {
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
    fn the_scale_is_limited_by_the_server() {
        for scale in [0.0, -1.0, 12.0, f64::NAN, f64::INFINITY] {
            assert!(Pace::scaled(scale).is_err(), "{scale}");
        }
    }
}
