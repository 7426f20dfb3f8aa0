//! The table of `tracer diff`.

use super::{
    grid::{Column, Grid, LayoutStep, Shrink},
    style::Style,
    text::{Paint, wrap},
    unknown_leaks,
};
use crate::{
    compare::{Below, Change, Difference, Note, Row, Tally},
    output::{escape, quantity},
};

const ESSENTIAL: [&str; 6] = ["CHANGE", "COMM", "REMOTE", "BEFORE", "AFTER", "VERDICT"];

const STEPS: [LayoutStep; 5] = [
    LayoutStep::Widen("VERDICT"),
    LayoutStep::Add("CALL SITE"),
    LayoutStep::Widen("REMOTE"),
    LayoutStep::Widen("COMM"),
    LayoutStep::Widen("CALL SITE"),
];

/// The table, and below it the counts and the two inputs.
pub(crate) fn difference(difference: &Difference, style: Style) -> String {
    let paint = Paint::new(style.color);
    let width = usize::from(style.width);
    let rows = &difference.changes;
    let mut lines = Vec::new();
    if !rows.is_empty() {
        let grid = Grid::new(columns(rows), &ESSENTIAL, &STEPS, width);
        let mut table = grid.lines.into_iter();
        lines.extend(table.next().map(|heading| paint.bold(&heading)));
        lines.extend(table);
        lines.push(String::new());
    }
    lines.extend(wrap("", &summary(difference), width));
    lines.extend(unknown_leaks::sentences(difference).iter().flat_map(|it| wrap("", it, width)));
    lines.extend(not_compared(difference).iter().flat_map(|text| wrap("", text, width)));
    for (label, side) in [("Before", &difference.before), ("After", &difference.after)] {
        let host = escape::visible(&side.host).into_owned();
        let file = escape::visible(&side.file).into_owned();
        let gap = if side.coverage.complete { "" } else { " (coverage is incomplete)" };
        let at = escape::visible(&side.at).into_owned();
        lines.extend(wrap("", &format!("{label}: {file}, {host} at {at}{gap}"), width));
        for Note { text, .. } in &side.coverage.notes {
            lines.extend(wrap("    ", &escape::visible(text), width));
        }
    }
    lines.join("\n")
}

/// `1 new, 2 gone.`
fn summary(difference: &Difference) -> String {
    let rows = &difference.changes;
    if rows.is_empty() {
        let least = match difference.fail_on.as_str() {
            "certain" => "certain",
            "likely" => "likely or certain",
            _ => "possible, likely or certain",
        };
        return format!("No {least} leaks in either report.");
    }
    let changes = [
        Change::New,
        Change::Grown,
        Change::Same,
        Change::Shrunk,
        Change::NotObserved,
        Change::TooEarly,
        Change::Gone,
    ];
    let counts =
        changes.map(|change| (rows.iter().filter(|row| row.change == change).count(), change));
    let counts = counts.iter().filter(|(count, _)| *count > 0);
    let counts: Vec<String> =
        counts.map(|(count, change)| format!("{count} {}", change.name())).collect();
    let counts = counts.join(", ");
    let has_new = rows.iter().any(|row| row.change == Change::New);
    if has_new { format!("{counts}.") } else { format!("No new leaks: {counts}.") }
}

/// What is below `--fail-on` in both reports, so that nobody takes it for fixed.
fn not_compared(difference: &Difference) -> Option<String> {
    let text = |below: Below| {
        let findings = quantity::counted(below.findings, "finding", "findings");
        let connections = quantity::counted(below.connections, "connection", "connections");
        format!("{findings} ({connections})")
    };
    let (before, after) = (difference.not_compared.before, difference.not_compared.after);
    (before != Below::default() || after != Below::default()).then(|| {
        format!(
            "Not compared, because below --fail-on {}: {} before, {} after.",
            difference.fail_on,
            text(before),
            text(after)
        )
    })
}

fn columns(rows: &[Row]) -> Vec<Column> {
    let text = |heading, shrink, cell: fn(&Row) -> String| Column {
        heading,
        cells: rows.iter().map(cell).collect(),
        is_number: false,
        shrink,
    };
    let number = |heading, cell: fn(&Row) -> Option<&Tally>| Column {
        heading,
        cells: rows
            .iter()
            .map(|row| cell(row).map_or("-".to_owned(), |tally| quantity::grouped(tally.count)))
            .collect(),
        is_number: true,
        shrink: Shrink::Never,
    };
    vec![
        text("CHANGE", Shrink::Never, |row| row.change.name().to_owned()),
        text("COMM", Shrink::End(8), |row| escape::visible(&row.comm).into_owned()),
        text("REMOTE", Shrink::Middle(18), |row| {
            let destination = escape::visible(&row.destination);
            if row.direction == "inbound" {
                format!("inbound {destination}")
            } else {
                destination.into()
            }
        }),
        number("BEFORE", |row| row.before.as_ref()),
        number("AFTER", |row| row.after.as_ref()),
        text("VERDICT", Shrink::End(16), verdict),
        text("CALL SITE", Shrink::Start(16), |row| {
            escape::visible(row.call_site.as_deref().unwrap_or("-")).into_owned()
        }),
    ]
}

/// `body-not-closed (certain)`, or both if it changed: `close-wait (likely) -> ...`.
fn verdict(row: &Row) -> String {
    let text = |tally: &Tally| {
        let text = format!("{} ({})", tally.verdict, tally.confidence);
        escape::visible(&text).into_owned()
    };
    match (row.before.as_ref().map(text), row.after.as_ref().map(text)) {
        (Some(before), Some(after)) if before != after => format!("{before} -> {after}"),
        (before, after) => after.or(before).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use expect_test::{Expect, expect};
    use tracer_core::Confidence;

    use super::*;
    use crate::compare::{NotCompared, Side};

    fn tally(count: u64, verdict: &str, confidence: &str) -> Tally {
        let (verdict, confidence) = (verdict.to_owned(), confidence.to_owned());
        Tally { count, verdict, confidence, pids: BTreeSet::from([1]) }
    }

    fn row(change: Change, before: Option<Tally>, after: Option<Tally>) -> Row {
        Row {
            change,
            reason: None,
            key: "client-connection/outbound/10.0.0.7:443/a%1Bpi".to_owned(),
            comm: "a\u{1b}pi".to_owned(),
            direction: "outbound".to_owned(),
            destination: "10.0.0.7:443".to_owned(),
            call_site: Some("main.get a.go:7".to_owned()),
            before,
            after,
        }
    }

    fn of(changes: Vec<Row>) -> Difference {
        let (before, after) = (Side::empty("a.rec"), Side::empty("b.json"));
        Difference { changes, ..Difference::between(before, after, Confidence::Likely) }
    }

    fn check(difference: &Difference, expected: &Expect) {
        let text = super::difference(difference, Style { color: false, width: 100, wide: false });
        expected.assert_eq(&text);
    }

    #[test]
    fn each_change_is_a_row() {
        let leak = || Some(tally(1_204, "body-not-closed", "certain"));
        let inbound = Row {
            direction: "inbound".to_owned(),
            destination: "*:8080".to_owned(),
            call_site: None,
            ..row(Change::Gone, Some(tally(12, "never-read", "likely")), None)
        };
        check(
            &of(vec![
                row(Change::New, None, leak()),
                row(Change::Same, Some(tally(1_204, "close-wait", "likely")), leak()),
                inbound,
            ]),
            &expect![[r#"
                CHANGE  COMM     REMOTE          BEFORE  AFTER  VERDICT
                new     a\x1bpi  10.0.0.7:443         -  1,204  body-not-closed (certain)
                same    a\x1bpi  10.0.0.7:443     1,204  1,204  close-wait (likely) -> body-not-closed (certain)
                gone    a\x1bpi  inbound *:8080      12      -  never-read (likely)

                1 new, 1 same, 1 gone.
                Before: a.rec, web1 at 2026-03-01T12:00:00.000Z (coverage is incomplete)
                After: b.json, web1 at 2026-03-01T12:00:00.000Z (coverage is incomplete)"#]],
        );
    }

    #[test]
    fn no_new_leaks() {
        let gone = row(Change::Gone, Some(tally(6, "ghost", "likely")), None);
        check(
            &of(vec![gone]),
            &expect![[r#"
            CHANGE  COMM     REMOTE        BEFORE  AFTER  VERDICT         CALL SITE
            gone    a\x1bpi  10.0.0.7:443       6      -  ghost (likely)  main.get a.go:7

            No new leaks: 1 gone.
            Before: a.rec, web1 at 2026-03-01T12:00:00.000Z (coverage is incomplete)
            After: b.json, web1 at 2026-03-01T12:00:00.000Z (coverage is incomplete)"#]],
        );
        check(
            &of(Vec::new()),
            &expect![[r#"
                No likely or certain leaks in either report.
                Before: a.rec, web1 at 2026-03-01T12:00:00.000Z (coverage is incomplete)
                After: b.json, web1 at 2026-03-01T12:00:00.000Z (coverage is incomplete)"#]],
        );
    }

    #[test]
    fn findings_that_are_not_compared_are_counted() {
        let before = Below { findings: 1, connections: 16 };
        let after = Below { findings: 2, connections: 1_000 };
        let not_compared = NotCompared { before, after };
        check(
            &Difference { not_compared, ..of(Vec::new()) },
            &expect![[r#"
                No likely or certain leaks in either report.
                Not compared, because below --fail-on likely: 1 finding (16 connections) before, 2 findings
                (1,000 connections) after.
                Before: a.rec, web1 at 2026-03-01T12:00:00.000Z (coverage is incomplete)
                After: b.json, web1 at 2026-03-01T12:00:00.000Z (coverage is incomplete)"#]],
        );
    }
}
