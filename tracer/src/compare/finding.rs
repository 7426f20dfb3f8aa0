//! The part of a finding that matters to a comparison.

use std::time::Duration;

use serde::Deserialize;
use tracer_core::{Comm, Destination, Direction, FindingFamily, FindingKey};

use crate::wall_clock::WallClock;

/// A finding, as in the JSON schema.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub(super) struct Finding {
    /// Derived from the other fields in a report of schema 1.
    #[serde(default)]
    pub(super) key: String,
    pub(super) verdict: String,
    pub(super) confidence: String,
    pub(super) pid: u32,
    #[serde(default)]
    pub(super) start_time: Option<String>,
    pub(super) comm: String,
    #[serde(default)]
    pub(super) script: Option<String>,
    pub(super) direction: String,
    pub(super) remote: Option<String>,
    pub(super) remote_port: Option<u16>,
    pub(super) local_port: Option<u16>,
    pub(super) count: u64,
    #[serde(default)]
    pub(super) oldest_age_s: Option<f64>,
    #[serde(default)]
    pub(super) oldest_age_is_lower_bound: Option<bool>,
    pub(super) call_site: Option<String>,
    pub(super) retracted_at: Option<String>,
}

impl Finding {
    pub(super) fn of(finding: &tracer_core::Finding, clock: WallClock) -> Self {
        Self {
            key: finding.key.to_string(),
            verdict: finding.verdict.name().to_owned(),
            confidence: finding.confidence.name().to_owned(),
            pid: finding.process.pid,
            start_time: Some(clock.start_time(finding.process)),
            comm: finding.comm.0.to_string(),
            script: finding.script.clone(),
            direction: finding.direction.name().to_owned(),
            remote: finding.remote.map(|remote| remote.to_string()),
            remote_port: finding.remote_port,
            local_port: finding.local_port,
            count: finding.count as u64,
            oldest_age_s: Some(seconds(finding.oldest_age_ms)),
            oldest_age_is_lower_bound: Some(finding.oldest_age_is_lower_bound),
            call_site: finding.call_site.clone(),
            retracted_at: finding.retracted_at.map(|at| clock.rfc3339(at)),
        }
    }

    /// The key of a schema 1 finding, derived from its other fields. They do not show whether a
    /// connection that is not `body-not-closed` had an HTTP response.
    pub(super) fn derived_key(&self) -> Option<FindingKey> {
        let is_inbound = self.direction == Direction::Inbound.name();
        let destination = match (&self.remote, is_inbound) {
            (_, true) => Destination::LocalPort(self.local_port?),
            (Some(remote), false) => Destination::Remote(remote.parse().ok()?),
            (None, false) => Destination::RemotePort(self.remote_port?),
        };
        let family = match self.verdict.as_str() {
            "inherited" => FindingFamily::Inherited,
            "body-not-closed" => FindingFamily::Response,
            _ if is_inbound => FindingFamily::Accepted,
            _ => FindingFamily::ClientConnection,
        };
        let direction = if is_inbound { Direction::Inbound } else { Direction::Outbound };
        Some(FindingKey { family, direction, destination, comm: Comm(self.comm.as_str().into()) })
    }
}

/// A duration as in the JSON schema.
#[expect(clippy::cast_precision_loss, reason = "exact below 2^53 ms")]
pub(super) fn seconds(milliseconds: u64) -> f64 {
    milliseconds as f64 / 1_000.0
}

/// The reverse; `None` if it is no duration.
pub(super) fn milliseconds(seconds: f64) -> Option<u64> {
    u64::try_from(Duration::try_from_secs_f64(seconds).ok()?.as_millis()).ok()
}
