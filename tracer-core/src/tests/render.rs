//! Reports as a few lines of text, for comparison.

use std::{fmt::Write, format, string::String};

use crate::{Change, Finding, Reader, Report, Timestamp, duration::humane};

pub(super) fn report(report: &Report, start_ms: u64) -> String {
    let mut text = format!("[{}]", clock(report.at, start_ms));
    if report.findings.is_empty() {
        text.push_str(" nothing");
    }
    text.push('\n');
    for finding in &report.findings {
        text.push_str(&self::finding(finding));
    }
    for connection in &report.unflagged {
        let age = humane(connection.age_ms);
        writeln!(text, "  open {} {} {age}", connection.direction, connection.remote).unwrap();
    }
    if !report.coverage.complete {
        text.push_str("  incomplete\n");
    }
    text
}

fn finding(finding: &Finding) -> String {
    let Finding { verdict, confidence, comm, process, direction, count, .. } = finding;
    let place = match (finding.remote, finding.remote_port) {
        (Some(remote), _) => format!("{remote}"),
        (None, Some(port)) => format!("{} addresses :{port}", finding.remotes),
        (None, None) => format!(":{}", finding.local_port.unwrap_or_default()),
    };
    let bound = if finding.oldest_age_is_lower_bound { ">" } else { "" };
    let growth = finding.growth_per_min_milli.map_or_else(String::new, |milli| {
        let mark = if finding.growth_is_reconstructed { "~" } else { "" };
        format!(" {mark}{:+.1}/min", f64::from(i32::try_from(milli).unwrap()) / 1_000.0)
    });
    let mut text = format!(
        "  #{} {verdict} {confidence}: {}[{}] {direction} {place} x{count}, \
         oldest {bound}{}, stood {}{growth}",
        finding.id,
        comm.0,
        process.pid,
        humane(finding.oldest_age_ms),
        humane(finding.stood_ms),
    );
    if finding.reader != Reader::Unknown {
        write!(text, ", reader {}", finding.reader.name()).unwrap();
    }
    if let Some(request) = &finding.request {
        write!(text, ", {request}").unwrap();
    }
    if let Some(call_site) = &finding.call_site {
        write!(text, ", at {call_site}").unwrap();
    }
    if finding.responses > 0 {
        write!(text, ", responses {}", finding.responses).unwrap();
    }
    if finding.retracted_at.is_some() {
        text.push_str(", taken back");
    }
    text.push('\n');
    for evidence in &finding.evidence {
        writeln!(text, "     {evidence}").unwrap();
    }
    text
}

pub(super) fn changes(changes: &[Change], start_ms: u64) -> String {
    let mut text = String::new();
    for change in changes {
        write!(
            text,
            "{} {} {} {} {}",
            clock(change.at, start_ms),
            change.kind.name(),
            change.connection.id,
            change.flag.verdict,
            change.flag.confidence
        )
        .unwrap();
        if let Some(call_site) = &change.connection.call_site {
            write!(text, " at {call_site}").unwrap();
        }
        text.push('\n');
    }
    text
}

fn clock(at: Timestamp, start_ms: u64) -> String {
    humane(at.ms_since(Timestamp::from_ms(start_ms)))
}
