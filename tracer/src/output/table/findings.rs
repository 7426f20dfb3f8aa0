//! The table of the active findings.

use std::collections::BTreeMap;

use tracer_core::{Confidence, Connection, Direction, Finding, Reader, TcpState};

use super::{
    grid::{Column, Grid, LayoutStep, Shrink},
    style::Style,
    text::{Paint, width, wrap},
};
use crate::output::{
    escape,
    listing::Row,
    quantity::{self, counted, plain},
};

const VERDICT: &str = "VERDICT";

/// The minimum number of columns for an IPv6 address and port: `[2001:d..7334]:443`.
const REMOTE_MIN: usize = 18;

/// Columns that identify a finding. They are shown even on a narrow terminal.
const ESSENTIAL: [&str; 6] = ["#", "PID", "COMM", "REMOTE", "COUNT", VERDICT];

/// Further columns if there is room, the most useful first. The state comes late: most verdicts
/// imply it, and the details show it.
const STEPS: [LayoutStep; 20] = [
    LayoutStep::Widen(VERDICT),
    LayoutStep::Add("OLDEST"),
    LayoutStep::Add("GROWTH"),
    LayoutStep::Add("CALL SITE"),
    LayoutStep::Widen("COMM"),
    LayoutStep::Widen("REMOTE"),
    LayoutStep::Widen("CALL SITE"),
    LayoutStep::Add("READER"),
    LayoutStep::Add("STATE"),
    LayoutStep::Widen("STATE"),
    LayoutStep::Add("REQUEST"),
    LayoutStep::Add("UNREAD"),
    LayoutStep::Add("IDLE"),
    LayoutStep::Add("LOCAL"),
    LayoutStep::Add("UID"),
    LayoutStep::Add("NETNS"),
    LayoutStep::Add("EXE"),
    LayoutStep::Widen("REQUEST"),
    LayoutStep::Widen("LOCAL"),
    LayoutStep::Widen("EXE"),
];

/// The table's lines, the heading first.
pub(super) fn lines(rows: &[Row<'_>], style: Style, paint: Paint) -> Vec<String> {
    let mut columns = columns(rows, style.wide);
    if style.wide {
        columns.extend(wide_columns(rows));
    }
    let grid = Grid::new(columns, &ESSENTIAL, &STEPS, usize::from(style.width));
    let verdict_start = grid.start_of(VERDICT);
    let mut lines = Vec::with_capacity(grid.lines.len() + 1);
    for (index, line) in grid.lines.iter().enumerate() {
        lines.push(match index.checked_sub(1).and_then(|row| rows.get(row)) {
            None => paint.bold(line),
            Some(row) => paint_row(line, &row.finding, verdict_start, paint),
        });
    }
    if style.wide && !grid.hidden.is_empty() {
        let hidden = grid.hidden.join(", ");
        let hint = wrap("", &format!("No room for {hidden}."), usize::from(style.width));
        lines.extend(hint.iter().map(|line| paint.dim(line)));
    }
    lines
}

/// `close-wait (likely)`.
pub(super) fn verdict(finding: &Finding) -> String {
    format!("{} ({})", finding.verdict, finding.confidence)
}

/// `10.0.0.7:443`, `200 addresses :443`, or `inbound :8080` for accepted connections.
pub(super) fn remote(finding: &Finding) -> String {
    match (finding.direction, finding.remote, finding.local_port) {
        (_, Some(remote), _) => remote.to_string(),
        (Direction::Outbound, None, _) if finding.remote_port.is_some() => {
            let port = finding.remote_port.unwrap_or_default();
            format!("{} addresses :{port}", quantity::grouped(finding.remotes as u64))
        }
        (Direction::Inbound, None, Some(port)) => format!("inbound :{port}"),
        (Direction::Inbound, None, None) => "inbound".to_owned(),
        (Direction::Outbound, None, _) => "-".to_owned(),
    }
}

/// The number of connections in each state, the most frequent first.
pub(super) fn states(connections: &[Connection]) -> Vec<(TcpState, u64)> {
    let mut counts = BTreeMap::new();
    for connection in connections {
        *counts.entry(connection.state).or_insert(0) += 1;
    }
    let mut states: Vec<_> = counts.into_iter().collect();
    states.sort_by_key(|&(_, count)| std::cmp::Reverse(count));
    states
}

fn columns(rows: &[Row<'_>], wide: bool) -> Vec<Column> {
    let states = text("STATE", rows, state_cell);
    let short_states = states.cells.iter().map(|cell| cell.replace("ESTABLISHED", "ESTAB"));
    let short_states = Shrink::To(short_states.collect());
    // A shortened IPv6 address is still distinct, a shortened IPv4 address is not.
    let findings = || rows.iter().map(|row| &*row.finding);
    let whole = findings().filter(|it| it.remote.is_none_or(|remote| remote.is_ipv4()));
    let remote_min = whole.map(|it| width(&remote(it))).max().unwrap_or(0).max(REMOTE_MIN);
    let mut columns = vec![
        number("#", rows, |finding| finding.id.to_string()),
        Column {
            cells: rows.iter().map(pid_cell).collect(),
            ..number("PID", rows, |_| String::new())
        },
        Column {
            shrink: Shrink::End(8),
            ..text("COMM", rows, |finding| escape::visible(&finding.comm.0).into_owned())
        },
        Column { shrink: Shrink::Middle(remote_min), ..text("REMOTE", rows, remote) },
        Column { shrink: short_states, ..states },
        number("COUNT", rows, |finding| quantity::grouped(finding.count as u64)),
        number("OLDEST", rows, |finding| {
            quantity::age_ms(finding.oldest_age_ms, finding.oldest_age_is_lower_bound)
        }),
        number("GROWTH", rows, |finding| {
            quantity::growth(finding.growth_per_min_milli, finding.growth_is_reconstructed)
        }),
        Column {
            shrink: Shrink::To(findings().map(|it| it.verdict.to_string()).collect()),
            ..text(VERDICT, rows, verdict)
        },
    ];
    if wide || findings().any(|finding| finding.reader != Reader::Unknown) {
        columns.push(text("READER", rows, |finding| finding.reader.name().to_owned()));
    }
    if findings().any(|finding| finding.request.is_some()) {
        columns.push(Column {
            shrink: Shrink::Start(24),
            ..text("REQUEST", rows, |finding| or_dash(finding.request.as_deref()))
        });
    }
    if findings().any(|finding| finding.call_site.is_some()) {
        columns.push(Column {
            shrink: Shrink::Start(24),
            ..text("CALL SITE", rows, |finding| or_dash(finding.call_site.as_deref()))
        });
    }
    columns
}

fn wide_columns(rows: &[Row<'_>]) -> [Column; 6] {
    [
        Column { shrink: Shrink::Middle(21), ..text("LOCAL", rows, local_cell) },
        number("IDLE", rows, |finding| {
            let idle = finding.connections.iter().map(|connection| connection.idle_ms).max();
            idle.map_or_else(|| "-".to_owned(), quantity::duration_ms)
        }),
        number("UNREAD", rows, |finding| quantity::bytes(finding.unread_bytes)),
        number("UID", rows, |finding| {
            finding.uid.map_or_else(|| "-".to_owned(), |uid| uid.to_string())
        }),
        number("NETNS", rows, |finding| finding.netns.to_string()),
        Column {
            shrink: Shrink::Start(16),
            ..text("EXE", rows, |finding| or_dash(finding.exe.as_deref()))
        },
    ]
}

fn text(heading: &'static str, rows: &[Row<'_>], cell: impl Fn(&Finding) -> String) -> Column {
    let cells = rows.iter().map(|row| cell(&row.finding)).collect();
    Column { heading, cells, is_number: false, shrink: Shrink::Never }
}

fn number(heading: &'static str, rows: &[Row<'_>], cell: impl Fn(&Finding) -> String) -> Column {
    Column { is_number: true, ..text(heading, rows, cell) }
}

fn or_dash(text: Option<&str>) -> String {
    text.map_or_else(|| "-".to_owned(), |text| escape::visible(text).into_owned())
}

/// `4711`, `40 processes`.
fn pid_cell(row: &Row<'_>) -> String {
    match row.parts.len() {
        0 | 1 => row.finding.process.pid.to_string(),
        processes => plain(&counted(processes as u64, "process", "processes")),
    }
}

fn state_cell(finding: &Finding) -> String {
    match states(&finding.connections).as_slice() {
        [] => "-".to_owned(),
        [(state, _)] => state.to_string(),
        [(first, _), (second, _)] => format!("{first}, {second}"),
        _ => "mixed".to_owned(),
    }
}

/// The local address and port that all connections share, with `*` for a part that differs.
fn local_cell(finding: &Finding) -> String {
    let mut locals = finding.connections.iter().map(|connection| connection.local);
    let Some(first) = locals.next() else { return "-".to_owned() };
    let (same_address, same_port) = locals.fold((true, true), |(address, port), local| {
        (address && local.ip() == first.ip(), port && local.port() == first.port())
    });
    match (same_address, same_port) {
        (true, true) => first.to_string(),
        (true, false) if first.is_ipv6() => format!("[{}]:*", first.ip()),
        (true, false) => format!("{}:*", first.ip()),
        (false, true) => format!("*:{}", first.port()),
        (false, false) => "*".to_owned(),
    }
}

/// The whole row dim if the confidence is *info*, else the verdict in its color.
fn paint_row(line: &str, finding: &Finding, verdict_start: Option<usize>, paint: Paint) -> String {
    if finding.confidence == Confidence::Info {
        return paint.dim(line);
    }
    let Some(verdict_start) = verdict_start else { return line.to_owned() };
    let mut column = 0;
    let start = line.char_indices().find_map(|(index, character)| {
        let is_there = column >= verdict_start;
        column += width(character.encode_utf8(&mut [0; 4]));
        is_there.then_some(index)
    });
    let Some((before, rest)) = start.and_then(|start| line.split_at_checked(start)) else {
        return line.to_owned();
    };
    // The column may have been too narrow for the confidence.
    for verdict in [verdict(finding), finding.verdict.to_string()] {
        if let Some(after) = rest.strip_prefix(&verdict) {
            return format!("{before}{}{after}", paint.confidence(finding.confidence, &verdict));
        }
    }
    line.to_owned()
}
