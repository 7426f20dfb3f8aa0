//! One finding with its evidence, its attributes and its connections.

use maud::{Markup, html};
use tracer_core::{Confidence, Container, Finding};

use super::{text::visible, timeline};
use crate::output::{
    escape,
    incident::Incident,
    listing::Row,
    quantity::{self, counted, grouped},
    words,
};

/// The maximum number of characters of a command line: a Java command line fills a page.
const COMMAND_LINE_MAX: usize = 400;

/// One row. For equal findings of several processes, it has the evidence of the largest.
pub(super) fn section(incident: &Incident<'_>, row: &Row<'_>) -> Markup {
    let (id, finding) = (row.finding.id, row.largest());
    html! {
        section.finding id=(format!("finding-{id}")) {
            h2 { "Finding " (id) ": " (words::processes(row)) " " (words::destination(finding)) }
            p {
                (badge(finding.confidence)) " " strong { (finding.verdict) } ": "
                (words::meaning(finding.verdict))
            }
            @if row.parts.len() > 1 {
                p { "Pids: " (counts(row)) "." }
                p {
                    "The rest of this section is about " (words::process(finding))
                    ", which has the most connections."
                }
            }
            h3 { "Evidence" }
            ul {
                @for fact in &finding.evidence { li { (escape::sentence(&words::evidence(fact))) } }
            }
            @let caveats = words::caveats(finding);
            @if !caveats.is_empty() {
                h3 { (words::caveats_heading(finding.confidence)) }
                ul {
                    @for caveat in &caveats { li { (escape::sentence(caveat)) } }
                }
            }
            p { strong { "Next step: " } (words::next_step(finding, &incident.report.options)) }
            (facts(incident, finding))
            (timeline::figure(incident, finding))
        }
    }
}

/// `801 (12 connections), 802 (11), 803 (11), 37 more`.
fn counts(row: &Row<'_>) -> String {
    const PIDS_MAX: usize = 40;
    let mut counts: Vec<String> = Vec::new();
    for part in row.parts.iter().take(PIDS_MAX) {
        let count = part.count as u64;
        let count = if counts.is_empty() {
            counted(count, "connection", "connections")
        } else {
            grouped(count)
        };
        counts.push(format!("{} ({count})", part.process.pid));
    }
    if let Some(omitted @ 1..) = row.parts.len().checked_sub(PIDS_MAX) {
        counts.push(counted(omitted as u64, "more", "more"));
    }
    counts.join(", ")
}

/// The confidence, in a frame.
pub(super) fn badge(confidence: Confidence) -> Markup {
    html! { span.badge.(confidence.name()) { (confidence) } }
}

/// The call site, or why none is named.
fn call_site(finding: &Finding) -> String {
    if let Some(call_site) = &finding.call_site {
        return visible(call_site);
    }
    if words::has_several_call_sites(finding) {
        return "several: see the evidence".to_owned();
    }
    let reason = words::call_site_unknown(finding);
    reason.map_or("unknown".to_owned(), |it| format!("unknown: {}", escape::sentence(&it)))
}

fn facts(incident: &Incident<'_>, finding: &Finding) -> Markup {
    let active = quantity::duration_ms(finding.active_ms);
    let facts = [
        ("Connections", Some(connections(finding))),
        ("Call site", Some(call_site(finding))),
        ("Request", finding.request.as_deref().map(visible)),
        ("Oldest opened", Some(incident.since(finding))),
        (
            "First reported",
            Some(format!("{} (active for {active})", incident.time(finding.active_ms))),
        ),
        ("Growth", growth(finding)),
        ("Unread data in the socket", bytes(finding.unread_bytes)),
        ("Unread data in process memory", bytes(finding.held_bytes)),
        ("Reader", Some(words::reader(finding.reader).to_owned())),
        ("Script", finding.script.as_deref().map(visible)),
        ("Executable", finding.exe.as_deref().map(visible)),
        ("Command line", finding.cmdline.as_deref().map(command_line)),
        ("User id", finding.uid.map(|uid| uid.to_string())),
        ("Container", finding.container.as_ref().map(container)),
        ("Process started", Some(process_started(incident, finding))),
        ("Also held by", also_held_by(finding)),
    ];
    html! {
        dl {
            @for (name, value) in facts {
                @if let Some(value) = value { div { dt { (name) } dd { (value) } } }
            }
        }
    }
}

/// `2026-03-01 10:53:20 UTC`.
fn process_started(incident: &Incident<'_>, finding: &Finding) -> String {
    let started = incident.context.clock.start_time(finding.process);
    let seconds = started.split('.').next().unwrap_or_default();
    format!("{} UTC", seconds.replace('T', " "))
}

fn connections(finding: &Finding) -> String {
    let most = if finding.peak_count > finding.count {
        format!(", peak {}", grouped(finding.peak_count as u64))
    } else {
        String::new()
    };
    format!("{}{most}", words::amount(finding, finding.count))
}

fn growth(finding: &Finding) -> Option<String> {
    let growth = finding.growth_per_min_milli?;
    let from = if finding.growth_is_reconstructed {
        ", estimated from the times at which the connections went idle"
    } else {
        ", observed"
    };
    Some(format!("{}{from}", quantity::growth(Some(growth), finding.growth_is_reconstructed)))
}

fn bytes(bytes: u64) -> Option<String> {
    (bytes > 0).then(|| quantity::bytes(bytes))
}

fn command_line(text: &str) -> String {
    let kept: String = text.chars().take(COMMAND_LINE_MAX).collect();
    let omitted = text.chars().count().saturating_sub(COMMAND_LINE_MAX);
    let more = if omitted > 0 {
        format!(" (and {})", counted(omitted as u64, "more character", "more characters"))
    } else {
        String::new()
    };
    format!("{}{more}", visible(&kept))
}

/// `4f3c... (containerd, pod 6a1e...)`.
fn container(container: &Container) -> String {
    let pod = container.pod_uid.as_ref().map(|uid| format!("pod {uid}"));
    let more: Vec<String> = container.runtime.iter().cloned().chain(pod).collect();
    let more = if more.is_empty() { String::new() } else { format!(" ({})", more.join(", ")) };
    visible(&format!("{}{more}", container.id))
}

/// Other processes that hold some of the connections, a few of them by name.
fn also_held_by(finding: &Finding) -> Option<String> {
    const NAMES_MAX: usize = 5;
    let owners = finding.connections.iter().flat_map(|connection| &connection.owners);
    let others = owners.filter(|owner| owner.key != finding.process);
    let mut names: Vec<String> =
        others.map(|it| format!("{}[{}]", visible(&it.comm.0), it.key.pid)).collect();
    names.sort();
    names.dedup();
    let omitted = names.len().saturating_sub(NAMES_MAX);
    names.truncate(NAMES_MAX);
    if omitted > 0 {
        names.push(counted(omitted as u64, "more process", "more processes"));
    }
    (!names.is_empty()).then(|| names.join(", "))
}
