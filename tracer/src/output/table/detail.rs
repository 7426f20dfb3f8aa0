//! What is below the table: for each finding its evidence and file descriptors; then retracted
//! findings, and how many file descriptors the processes have open.

use std::collections::{BTreeMap, BTreeSet};

use tracer_core::{
    Finding, Goroutines, Options, Origin, Owner, ProcessKey, ProcessSummary, Report,
};

use super::{
    findings::{remote, states, verdict},
    style::Style,
    text::{Paint, clip_end, width, wrap},
};
use crate::output::{
    escape,
    quantity::{self, counted, grouped},
    words,
};

/// File descriptors listed by number.
const FDS_MAX: usize = 10;
/// Other processes listed that hold a finding's connections too.
const HOLDERS_MAX: usize = 5;
/// Retracted findings listed.
const RETRACTED_MAX: usize = 10;
/// Characters of a command line: a Java one fills a screen.
const COMMAND_LINE_MAX: usize = 400;

const INDENT: &str = "    ";

/// One finding, under its number in the table, which is the same through a run and in JSON.
pub(super) fn lines(
    finding: &Finding,
    options: &Options,
    style: Style,
    paint: Paint,
) -> Vec<String> {
    let width = usize::from(style.width);
    let label = format!("#{:<2} ", finding.id);
    let mut lines = wrap(&label, &headline(finding), width);
    for line in &mut lines {
        *line = paint.bold(line);
    }
    let mut push = |text: &str| lines.extend(wrap(INDENT, text, width));
    if let Some(call_site) = &finding.call_site {
        push(&format!("at {}", escape::visible(call_site)));
    }
    for fact in &finding.evidence {
        push(&escape::sentence(&words::evidence(fact)));
    }
    let caveats = words::caveats(finding);
    if !caveats.is_empty() {
        let label = words::caveats_label(finding.confidence);
        push(&escape::sentence(&format!("{label}: {}", caveats.join("; "))));
    }
    if let Some(reason) = &finding.call_site_reason {
        let reason = words::call_site_reason(reason);
        push(&escape::sentence(&format!("call site unknown: {reason}")));
    }
    let own = own_fds(finding);
    let texts = [
        fds_and_origin(finding, &own),
        holders(finding, &own),
        whereabouts(finding, style.wide),
        command(finding),
    ];
    for text in texts {
        if !text.is_empty() {
            push(&text);
        }
    }
    push(&format!("next: {}", words::next_step(finding, options)));
    lines
}

/// `api[4711] -> 10.0.0.7:443: close-wait (likely), 1,190 ESTABLISHED, 14 CLOSE_WAIT`.
fn headline(finding: &Finding) -> String {
    let states = states(&finding.connections);
    let states = states
        .iter()
        .map(|(state, count)| format!(", {}", counted(*count, state.name(), state.name())));
    format!("{}: {}{}", subject(finding), verdict(finding), states.collect::<String>())
}

/// `api[4711] -> 10.0.0.7:443`, `python3[4711] (billing.py) -> 200 addresses :443`,
/// `api[4711] inbound :8080`.
fn subject(finding: &Finding) -> String {
    let script = finding.script.as_deref();
    let script = script.map_or(String::new(), |it| format!(" ({})", escape::visible(it)));
    let process = format!("{}{script}", process(finding.process, &finding.comm.0));
    let arrow = if finding.remote_port.is_some() { " -> " } else { " " };
    format!("{process}{arrow}{}", remote(finding))
}

fn process(key: ProcessKey, comm: &str) -> String {
    format!("{}[{}]", escape::visible(comm), key.pid)
}

/// The file descriptors of the owning process, ascending.
fn own_fds(finding: &Finding) -> Vec<u32> {
    let own = owners(finding).filter(|owner| owner.key == finding.process);
    let mut own: Vec<u32> = own.map(|owner| owner.fd).collect();
    own.sort_unstable();
    own
}

/// `fds 7, 8, 9 +1,194 more; 23 opened while tracing, 2 before or not seen to open; oldest
/// open for 51m`.
fn fds_and_origin(finding: &Finding, own: &[u32]) -> String {
    let traced = finding.connections.iter().filter(|it| it.origin == Origin::Traced).count();
    let seeded = finding.connections.len() - traced;
    let origins = match (traced, seeded) {
        (0, 0) => String::new(),
        (_, 0) => "all opened while tracing".to_owned(),
        (0, _) => "all open before tracing, or not seen to open".to_owned(),
        _ => {
            let (traced, seeded) = (grouped(traced as u64), grouped(seeded as u64));
            format!("{traced} opened while tracing, {seeded} before or not seen to open")
        }
    };
    let at_least = if finding.oldest_age_is_lower_bound { "at least " } else { "" };
    let oldest = quantity::duration_ms(finding.oldest_age_ms);
    let oldest = format!("oldest open for {at_least}{oldest}");
    let parts = [numbers(own), origins, oldest];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("; ")
}

/// `also held by worker[4712] fd 7; worker[4713] on the same fds`.
fn holders(finding: &Finding, own: &[u32]) -> String {
    let mut holders: BTreeMap<ProcessKey, (&str, Vec<u32>)> = BTreeMap::new();
    for owner in owners(finding).filter(|owner| owner.key != finding.process) {
        holders.entry(owner.key).or_insert((&owner.comm.0, Vec::new())).1.push(owner.fd);
    }
    if holders.is_empty() {
        return String::new();
    }
    let listed = holders.iter_mut().take(HOLDERS_MAX).map(|(&key, (comm, fds))| {
        fds.sort_unstable();
        // What was inherited through fork has the same numbers.
        let fds = if fds.len() > 1 && fds == own { "on the same fds" } else { &numbers(fds) };
        format!("{} {fds}", process(key, comm))
    });
    let mut parts: Vec<String> = listed.collect();
    let omitted = holders.len() - parts.len();
    if omitted > 0 {
        parts.push(format!("and {}", counted(omitted as u64, "more process", "more processes")));
    }
    format!("also held by {}", parts.join("; "))
}

/// Container and executable, where they say more than the name; with `--wide` also the container's
/// runtime and pod, and the pid in the process's own pid namespace.
fn whereabouts(finding: &Finding, wide: bool) -> String {
    let container = finding.container.as_ref();
    let id = container.map(|container| {
        // Twelve digits are what container tools show and accept.
        let id: String = container.id.chars().take(12).collect();
        let runtime = container.runtime.as_ref().filter(|_| wide);
        let runtime = runtime.map_or(String::new(), |it| format!(" of {}", escape::visible(it)));
        format!("container {}{runtime}", escape::visible(&id))
    });
    let pod = container.and_then(|container| container.pod_uid.as_ref()).filter(|_| wide);
    let pod = pod.map(|uid| format!("pod {}", escape::visible(uid)));
    let inner = finding.inner_pid.filter(|_| wide);
    let inner = inner.map(|pid| format!("pid {pid} in its pid namespace"));
    let says_more = |exe: &&str| {
        // The kernel keeps 15 bytes of a name.
        let name = exe.rsplit('/').next().unwrap_or_default();
        finding.comm.0.is_empty() || !name.starts_with(finding.comm.0.as_str())
    };
    let exe = finding.exe.as_deref().filter(says_more);
    let exe = exe.map(|exe| format!("exe {}", escape::visible(exe)));
    [id, pod, inner, exe].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn command(finding: &Finding) -> String {
    let command_line = finding.cmdline.as_deref().unwrap_or_default();
    if command_line.is_empty() {
        return String::new();
    }
    format!("command {}", clip_end(&escape::visible(command_line), COMMAND_LINE_MAX))
}

fn owners(finding: &Finding) -> impl Iterator<Item = &Owner> {
    finding.connections.iter().flat_map(|connection| &connection.owners)
}

/// `fd 7`, `fds 7, 8, 9 +1,194 more`.
fn numbers(fds: &[u32]) -> String {
    if fds.is_empty() {
        return String::new();
    }
    let listed: Vec<_> = fds.iter().take(FDS_MAX).map(u32::to_string).collect();
    let omitted = fds.len() - listed.len();
    let more = if omitted > 0 {
        format!(" +{}", counted(omitted as u64, "more", "more"))
    } else {
        String::new()
    };
    let noun = if fds.len() == 1 { "fd" } else { "fds" };
    format!("{noun} {}{more}", listed.join(", "))
}

/// Retracted findings, one line each, the latest first.
pub(super) fn retracted_lines(report: &Report, width_max: usize, paint: Paint) -> Vec<String> {
    let retracted = report.findings.iter().filter_map(|it| Some((it, it.retracted_at?)));
    let count = retracted.clone().count();
    let mut lines = Vec::new();
    for (finding, at) in retracted.take(RETRACTED_MAX) {
        let mut text = format!(
            "retracted {} ago: #{} {} x{} {}, active for {}",
            quantity::duration_ms(report.at.ms_since(at)),
            finding.id,
            finding.verdict,
            grouped(finding.count as u64),
            subject(finding),
            quantity::duration_ms(finding.active_ms),
        );
        let reason = ": closed or used again";
        if width(&text) + reason.len() <= width_max {
            text.push_str(reason);
        }
        lines.extend(wrap("", &text, width_max));
    }
    if count > RETRACTED_MAX {
        lines.push(format!("and {} retracted earlier", grouped((count - RETRACTED_MAX) as u64)));
    }
    lines.iter().map(|line| paint.dim(line)).collect()
}

/// One line for each process: `api[4711]: 1,240 open fds (1,211 TCP, 1,204 of them in findings) of
/// at most 65,536; +23/min, so the limit is reached in about 46h`; with `--wide` also what its
/// goroutines do.
pub(super) fn process_lines(report: &Report, style: Style) -> Vec<String> {
    let line = |summary| {
        let text = process_line(summary, flagged(report, summary.key), style.wide);
        wrap("", &text, usize::from(style.width))
    };
    report.processes.iter().flat_map(line).collect()
}

/// How many connections of a process are in active findings.
fn flagged(report: &Report, process: ProcessKey) -> u64 {
    let findings = report.findings.iter();
    let active = findings.filter(|it| it.process == process && it.retracted_at.is_none());
    let ids: BTreeSet<_> = active.flat_map(|it| &it.connections).map(|it| it.id).collect();
    ids.len() as u64
}

fn process_line(summary: &ProcessSummary, flagged: u64, wide: bool) -> String {
    let flagged = match flagged {
        0 => String::new(),
        count => format!(", {} of them in findings", grouped(count)),
    };
    let fds = match summary.open_fds {
        Some(open) => {
            let open = counted(open, "open fd", "open fds");
            format!("{open} ({} TCP{flagged})", grouped(summary.tcp_fds))
        }
        None => format!("{}{flagged}", counted(summary.tcp_fds, "TCP fd", "TCP fds")),
    };
    let limit = summary.fd_limit.map(|limit| format!(" of at most {}", grouped(limit)));
    let growth = summary.growth_per_min_milli.map(|growth| {
        let rate = quantity::growth(Some(growth), summary.growth_is_reconstructed);
        match summary.seconds_to_fd_limit.map(quantity::prediction_s) {
            Some(until) => format!("{rate}, so the limit is reached in about {until}"),
            None => rate,
        }
    });
    let fds = format!("{fds}{}", limit.unwrap_or_default());
    let goroutines = summary.goroutines.filter(|_| wide).map(goroutines);
    let parts: Vec<_> = [Some(fds), growth, goroutines].into_iter().flatten().collect();
    format!("{}: {}", process(summary.key, &summary.comm.0), parts.join("; "))
}

/// `1,230 goroutines, 604 in readLoop, 604 in writeLoop`: the figure that a program's own metrics
/// show, and what of it are connections of its HTTP client.
fn goroutines(goroutines: Goroutines) -> String {
    format!(
        "{}, {} in readLoop, {} in writeLoop",
        counted(goroutines.total, "goroutine", "goroutines"),
        grouped(goroutines.read_loops),
        grouped(goroutines.write_loops),
    )
}
