//! Why: one finding with its facts, its evidence and its connections.

use maud::{Markup, html};
use tracer_core::{Confidence, Container, Finding, Reader};

use super::{text::visible, timeline};
use crate::output::incident::Incident;
use crate::output::{
    escape, incident,
    quantity::{self, counted, grouped},
    words,
};

/// Characters of a command line: a Java one fills a page.
const COMMAND_LINE_MAX: usize = 400;

pub(super) fn section(incident: &Incident<'_>, finding: &Finding) -> Markup {
    html! {
        section.finding id=(format!("finding-{}", finding.id)) {
            h2 { "Finding " (finding.id) ": " (incident::process(finding)) " "
                (incident::whereto(finding)) }
            p {
                (badge(finding.confidence)) " " strong { (finding.verdict) } ": "
                (words::meaning(finding.verdict))
            }
            h3 { "Evidence" }
            ul {
                @for fact in &finding.evidence { li { (escape::sentence(&words::evidence(fact))) } }
            }
            @if !finding.caveats.is_empty() {
                h3 { "Why it is no surer" }
                ul {
                    @for caveat in &finding.caveats {
                        li { (escape::sentence(&words::caveat(caveat))) }
                    }
                }
            }
            (facts(incident, finding))
            (timeline::figure(incident, finding))
        }
    }
}

/// How sure a finding is, in a frame.
pub(super) fn badge(confidence: Confidence) -> Markup {
    html! { span.badge.(confidence.name()) { (confidence) } }
}

fn facts(incident: &Incident<'_>, finding: &Finding) -> Markup {
    let stood = quantity::duration_ms(finding.active_ms);
    let facts = [
        ("Connections", Some(connections(finding))),
        (
            "Line of code",
            Some(finding.call_site.as_deref().map_or("not known".to_owned(), visible)),
        ),
        ("Request", finding.request.as_deref().map(visible)),
        ("Oldest opened", Some(incident.since(finding))),
        ("Found", Some(format!("{} (has stood for {stood})", incident.moment(finding.active_ms)))),
        ("Growth", growth(finding)),
        ("Unread data", bytes(finding.unread_bytes)),
        ("Held in the program", bytes(finding.held_bytes)),
        ("Who would notice", Some(reader(finding.reader).to_owned())),
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
        format!(", {} at the most", grouped(finding.peak_count as u64))
    } else {
        String::new()
    };
    format!("{}{most}", incident::amount(finding, finding.count))
}

fn growth(finding: &Finding) -> Option<String> {
    let growth = finding.growth_per_min_milli?;
    let from = if finding.growth_is_reconstructed {
        ", worked out from when each one fell silent"
    } else {
        ", watched"
    };
    Some(format!("{}{from}", quantity::growth(Some(growth), finding.growth_is_reconstructed)))
}

fn bytes(bytes: u64) -> Option<String> {
    (bytes > 0).then(|| quantity::bytes(bytes))
}

const fn reader(reader: Reader) -> &'static str {
    match reader {
        Reader::None => "nobody: no goroutine, thread or epoll waits to read",
        Reader::Goroutine => "a goroutine that waits to read",
        Reader::Thread => "a thread that waits to read",
        Reader::Epoll => "an epoll that watches for input",
        Reader::Mixed => "that differs between the connections",
        Reader::Unknown => "not known",
    }
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

/// Processes that hold some of the connections too, a few of them by name.
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
