//! The results as tables: aligned for the terminal, and in Markdown for docs/.

use comfy_table::{Table, presets};

use super::label::{Label, Mode};
use super::matrix::Score;
use super::outcome::{JudgedCase, Outcome};

/// Every case, with what was reported about it.
pub(crate) fn cases(outcomes: &[(String, Outcome)]) -> Table {
    let mut table = aligned();
    table.set_header([
        "case",
        "expected",
        "live",
        "audit",
        "CLOSE_WAIT",
        "idle > --idle",
        "result",
    ]);
    for (name, outcome) in outcomes {
        let cells = match outcome {
            Outcome::JudgedCase(judged) => [
                name.clone(),
                expected(&judged.label),
                judged.live.describe(),
                judged.audit.describe(),
                judged.counts.close_wait.to_string(),
                judged.counts.idle.to_string(),
                result(judged),
            ],
            Outcome::Broken(_) => unjudged(name, "BROKEN"),
            Outcome::Skipped(why) => unjudged(name, &format!("skipped: {why}")),
        };
        table.add_row(cells);
    }
    table
}

fn unjudged(name: &str, result: &str) -> [String; 7] {
    [name, "", "", "", "", "", result].map(str::to_owned)
}

fn result(judged: &JudgedCase) -> String {
    let mistakes = judged.mistakes();
    match &judged.label {
        _ if !mistakes.is_empty() => format!("NOT as labeled: {}", mistakes.join("; ")),
        Label::Ambiguous { why } => format!("ok (ambiguous: {why})"),
        Label::Healthy { .. } | Label::Leak { .. } => "ok".to_owned(),
    }
}

fn expected(label: &Label) -> String {
    match label {
        Label::Healthy { info } if info.is_empty() => "healthy".to_owned(),
        Label::Healthy { info } => format!("healthy, {}", info.join("/")),
        Label::Leak { verdicts, count, .. } => format!("{count} {}", verdicts.join("/")),
        Label::Ambiguous { .. } => "at most possible".to_owned(),
    }
}

/// The confusion matrix, aligned.
pub(crate) fn matrix(rows: &[&JudgedCase]) -> Table {
    fill_matrix(aligned(), rows)
}

/// The confusion matrix in Markdown.
pub(crate) fn matrix_markdown(rows: &[&JudgedCase]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN);
    fill_matrix(table, rows)
}

fn fill_matrix(mut table: Table, rows: &[&JudgedCase]) -> Table {
    table.set_header([
        "",
        "leaks flagged",
        "only possible",
        "missed",
        "healthy flagged",
        "only possible",
        "quiet",
        "wrong verdict",
        "wrong count",
        "ambiguous: flagged / possible / quiet",
    ]);
    let close_wait = Score::of_baseline(rows, |row| row.counts.flags_close_wait());
    let idle = Score::of_baseline(rows, |row| row.counts.flags_idle());
    for (name, score, is_tracer) in [
        ("`tracer`, live", Score::of_tracer(rows, Mode::Live), true),
        ("`tracer audit`", Score::of_tracer(rows, Mode::Audit), true),
        ("`ss`: 5 in CLOSE_WAIT", close_wait, false),
        ("`ss`: 5 idle > `--idle`", idle, false),
    ] {
        // The baselines have neither verdicts nor confidences.
        let only_tracer = |number: u64| if is_tracer { number.to_string() } else { "-".to_owned() };
        table.add_row([
            name.to_owned(),
            score.leaks_flagged.to_string(),
            only_tracer(score.leaks_possible),
            score.leaks_missed.to_string(),
            score.healthy_flagged.to_string(),
            only_tracer(score.healthy_possible),
            score.healthy_quiet.to_string(),
            only_tracer(score.wrong_verdict),
            only_tracer(score.wrong_count),
            format!(
                "{} / {} / {}",
                score.ambiguous_flagged,
                only_tracer(score.ambiguous_possible),
                score.ambiguous_quiet
            ),
        ]);
    }
    table
}

fn aligned() -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table
}
