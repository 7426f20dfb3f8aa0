//! The text below the table: for each row, the evidence and file descriptors.

use std::collections::BTreeMap;

use tracer_core::{Finding, Options, Origin, Owner, ProcessKey};

use super::{
    findings::{remote, states, verdict},
    style::Style,
    text::{Paint, clip_end, wrap},
};
use crate::output::{
    escape,
    listing::Row,
    quantity::{self, counted, grouped},
    words,
};

/// The maximum number of file descriptors listed.
const FDS_MAX: usize = 10;
/// The maximum number of other processes listed that also hold a finding's connections.
const HOLDERS_MAX: usize = 5;
/// The maximum number of processes listed with their number of connections, for a row of several.
const PROCESSES_MAX: usize = 10;
/// The maximum number of characters of a command line: a Java command line fills a screen.
const COMMAND_LINE_MAX: usize = 400;

const INDENT: &str = "    ";

/// One row, under its number in the table, which is the same throughout a run and in JSON. For
/// equal findings of several processes, it has the evidence of the largest.
pub(super) fn lines(row: &Row<'_>, options: &Options, style: Style, paint: Paint) -> Vec<String> {
    let width = usize::from(style.width);
    let label = format!("#{:<2} ", row.finding.id);
    let mut lines = wrap(&label, &headline(row), width);
    for line in &mut lines {
        *line = paint.bold(line);
    }
    let mut push = |text: &str| lines.extend(wrap(INDENT, text, width));
    let finding = row.largest();
    if let Some(call_site) = &finding.call_site {
        push(&format!("at {}", escape::visible(call_site)));
    }
    if row.parts.len() > 1 {
        push(&counts_by_process(row));
        let process = words::named(finding.process, &finding.comm.0);
        push(&format!("details of {process}, which has the most connections:"));
    }
    for fact in &finding.evidence {
        push(&escape::sentence(&words::evidence(fact)));
    }
    let caveats = words::caveats(finding);
    if !caveats.is_empty() {
        let label = words::caveats_label(finding.confidence);
        push(&escape::sentence(&format!("{label}: {}", caveats.join("; "))));
    }
    if let Some(reason) = words::call_site_unknown(finding) {
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

/// `pids 801 (12 connections), 802 (11), 803 (11) +37 more`.
fn counts_by_process(row: &Row<'_>) -> String {
    let listed = row.parts.iter().take(PROCESSES_MAX).enumerate().map(|(index, part)| {
        let count = part.count as u64;
        let count =
            if index == 0 { counted(count, "connection", "connections") } else { grouped(count) };
        format!("{}\u{a0}({count})", part.process.pid)
    });
    let listed: Vec<String> = listed.collect();
    let omitted = row.parts.len() - listed.len();
    let more = if omitted > 0 {
        format!(" +{}", counted(omitted as u64, "more", "more"))
    } else {
        String::new()
    };
    format!("pids {}{more}", listed.join(", "))
}

/// `api[4711] -> 10.0.0.7:443: close-wait (likely), 1,190 ESTABLISHED, 14 CLOSE_WAIT`.
fn headline(row: &Row<'_>) -> String {
    let finding = &*row.finding;
    let states = states(&finding.connections);
    let states = states
        .iter()
        .map(|(state, count)| format!(", {}", counted(*count, state.name(), state.name())));
    let subject = subject(finding, row.parts.len());
    format!("{subject}: {}{}", verdict(finding), states.collect::<String>())
}

/// `api[4711] -> 10.0.0.7:443`, `python3[4711] (billing.py) -> 200 addresses :443`,
/// `api[4711] inbound :8080`, `40 processes of nginx inbound :8080`.
pub(super) fn subject(finding: &Finding, processes: usize) -> String {
    let script = finding.script.as_deref();
    let script = script.map_or(String::new(), |it| format!(" ({})", escape::visible(it)));
    let process = if processes > 1 {
        let count = counted(processes as u64, "process", "processes");
        format!("{count} of {}", escape::visible(&finding.comm.0))
    } else {
        words::named(finding.process, &finding.comm.0)
    };
    let arrow = if finding.remote_port.is_some() { " -> " } else { " " };
    format!("{process}{script}{arrow}{}", remote(finding))
}

/// The file descriptors of the owning process, ascending.
fn own_fds(finding: &Finding) -> Vec<u32> {
    let own = owners(finding).filter(|owner| owner.key == finding.process);
    let mut own: Vec<u32> = own.map(|owner| owner.fd).collect();
    own.sort_unstable();
    own
}

/// `fds 7, 8, 9 +1,194 more; 23 opened while tracing, 2 before or unseen; oldest open for 51m`.
fn fds_and_origin(finding: &Finding, own: &[u32]) -> String {
    let traced = finding.connections.iter().filter(|it| it.origin == Origin::Traced).count();
    let seeded = finding.connections.len() - traced;
    let origins = match (traced, seeded) {
        (0, 0) => String::new(),
        (_, 0) => "all opened while tracing".to_owned(),
        (0, _) => "all opened before tracing, or unseen".to_owned(),
        _ => {
            let (traced, seeded) = (grouped(traced as u64), grouped(seeded as u64));
            format!("{traced} opened while tracing, {seeded} before or unseen")
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
        // File descriptors inherited through fork have the same numbers.
        let fds = if fds.len() > 1 && fds == own { "on the same fds" } else { &numbers(fds) };
        format!("{} {fds}", words::named(key, comm))
    });
    let mut parts: Vec<String> = listed.collect();
    let omitted = holders.len() - parts.len();
    if omitted > 0 {
        parts.push(format!("and {}", counted(omitted as u64, "more process", "more processes")));
    }
    format!("also held by {}", parts.join("; "))
}

/// Container and executable, if they say more than the name; with `--wide` also the container's
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
