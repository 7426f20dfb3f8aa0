//! Reports as a few lines of text, for comparison. Evidence is printed as its code and numbers.

use std::{
    fmt::{Debug, Write},
    format,
    string::String,
};

use crate::{Change, Finding, Reader, Report, Timestamp};

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
        let age = duration(connection.age_ms);
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
         oldest {bound}{}, active {}{growth}",
        finding.id,
        comm.0,
        process.pid,
        duration(finding.oldest_age_ms),
        duration(finding.active_ms),
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
        write!(text, ", retracted, peak {} x{}", finding.peak_confidence, finding.peak_count)
            .unwrap();
    }
    text.push('\n');
    for evidence in &finding.evidence {
        writeln!(text, "     {}{}", evidence.code(), fields(evidence)).unwrap();
    }
    for caveat in &finding.caveats {
        writeln!(text, "     but {}{}", caveat.code(), fields(caveat)).unwrap();
    }
    text
}

/// The fields of a variant: ` count=23 ago=124000..234000ms`.
pub(super) fn fields(variant: &impl Debug) -> String {
    let text = format!("{variant:?}");
    let start = text.find([' ', '(']).unwrap_or(text.len());
    let mut fields =
        text[start..].replace("DurationRange { min_ms: ", "").replace(", max_ms: ", "..");
    for kind in ["CountOf", "Counted", "Recurrence"] {
        fields = fields.replace(&format!("{kind} {{ "), "");
    }
    let fields = fields.replace("value: ", "").replace("recurrence: ", "").replace(": ", "=");
    let fields: String = fields.chars().filter(|it| !"(){},".contains(*it)).collect();
    fields.split_whitespace().fold(String::new(), |mut text, field| {
        let unit = if field.contains("..") { "ms" } else { "" };
        write!(text, " {field}{unit}").unwrap();
        text
    })
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
    duration(at.ms_since(Timestamp::from_ms(start_ms)))
}

/// A duration in its two largest units: `45s`, `51m`, `2h 5m`, `3d 4h`.
fn duration(milliseconds: u64) -> String {
    let seconds = milliseconds / 1_000;
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, 1..10) if !seconds.is_multiple_of(60) => format!("{minutes}m {}s", seconds % 60),
        (0, 0, _) => format!("{minutes}m"),
        (0, _, _) if !minutes.is_multiple_of(60) => format!("{hours}h {}m", minutes % 60),
        (0, _, _) => format!("{hours}h"),
        _ if !hours.is_multiple_of(24) => format!("{days}d {}h", hours % 24),
        _ => format!("{days}d"),
    }
}
