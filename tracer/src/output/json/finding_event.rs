//! The line of a finding event.

use serde::Serialize;
use tracer_core::Report;

use super::document::SCHEMA;
use crate::output::{Context, finding_events::FindingEvent};

/// One flat object: no member is an object or an array, so a line is a row.
#[derive(Serialize)]
pub(super) struct FindingEventObject<'a> {
    schema: u32,
    time: String,
    sequence: u64,
    event: &'static str,
    id: String,
    key: &'a str,
    verdict: &'static str,
    confidence: &'static str,
    count: usize,
    responses: usize,
    pid: u32,
    start_time: String,
    comm: &'a str,
    call_site: Option<&'a str>,
    container_id: Option<&'a str>,
    pod_uid: Option<&'a str>,
    host: &'a str,
    boot_id: Option<&'a str>,
    started_at: String,
}

impl<'a> FindingEventObject<'a> {
    pub(super) fn new(
        event: &'a FindingEvent,
        sequence: u64,
        report: &Report,
        context: &'a Context,
    ) -> Self {
        let (clock, finding) = (context.clock, &event.finding);
        Self {
            schema: SCHEMA,
            time: clock.rfc3339(report.at),
            sequence,
            event: event.kind.name(),
            id: format!("f{}", finding.id),
            key: &finding.key,
            verdict: finding.verdict.name(),
            confidence: finding.confidence.name(),
            count: finding.count,
            responses: finding.responses,
            pid: finding.process.pid,
            start_time: clock.start_time(finding.process),
            comm: &finding.comm,
            call_site: finding.call_site.as_deref(),
            container_id: finding.container_id.as_deref(),
            pod_uid: finding.pod_uid.as_deref(),
            host: &context.host,
            boot_id: context.boot_id.as_deref(),
            started_at: clock.rfc3339(report.started_at),
        }
    }
}
