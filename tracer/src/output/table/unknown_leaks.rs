//! The leaks of an earlier report about which a later one says nothing, in words.

use crate::{
    compare::{Difference, Gap, Row, ScriptUnknown, Selection, TooEarly},
    output::{escape, quantity},
};

/// The maximum number of leaks that a sentence names.
const NAMED_MAX: usize = 5;

/// Which leaks may still be there, and why the later report does not show it: a sentence for each
/// reason.
pub(super) fn sentences(difference: &Difference) -> Vec<String> {
    let of_reason = |is_meant: fn(&Gap) -> bool| -> Vec<&Row> {
        let rows = difference.changes.iter();
        rows.filter(|row| row.reason.as_ref().is_some_and(is_meant)).collect()
    };
    let after = &difference.after;
    let file = escape::visible(&after.file);
    let selection = after.selection.as_ref().map(options).unwrap_or_default();
    let mut sentences = Vec::new();
    let not_observed = of_reason(|gap| *gap == Gap::ProcessNotObserved);
    if !not_observed.is_empty() {
        let covered = if selection.is_empty() {
            format!("another host ({})", escape::visible(&after.host))
        } else {
            selection.clone()
        };
        sentences.push(format!(
            "Not observed: {}. {file} covers {covered}, which includes neither this process nor one \
             of the same name that started later; make it again for the process that replaced it, \
             or for the whole host.",
            names(&not_observed)
        ));
    }
    let ended = of_reason(|gap| *gap == Gap::ProcessEnded);
    if !ended.is_empty() {
        sentences.push(format!(
            "Not observed: {}. When {file} was made, no process of this name had TCP sockets; \
             check that it runs, and make {file} again.",
            names(&ended)
        ));
    }
    let other_script = of_reason(|gap| matches!(gap, Gap::ScriptUnknown(_)));
    if let Some((row, Gap::ScriptUnknown(ScriptUnknown { pid, script }))) =
        other_script.first().and_then(|row| Some((row, row.reason.as_ref()?)))
    {
        let (comm, script) = (escape::visible(&row.comm), escape::visible(script));
        sentences.push(format!(
            "Not observed: {}. {file} does not say whether {comm}[{pid}] runs {script}; make it \
             again with --pid and the process that does.",
            names(&other_script)
        ));
    }
    let not_selected = of_reason(|gap| *gap == Gap::ConnectionsNotSelected);
    if !not_selected.is_empty() {
        sentences.push(format!(
            "Not observed: {}. {file} covers only connections with {selection}; make it again \
             with the options of {}.",
            names(&not_selected),
            escape::visible(&difference.before.file),
        ));
    }
    let unknown = of_reason(|gap| *gap == Gap::ScopeUnknown);
    if !unknown.is_empty() {
        sentences.push(format!(
            "Not observed: {}. {file} does not say which processes it covers, because an earlier \
             version of tracer made it; make it again with this version.",
            names(&unknown)
        ));
    }
    sentences.extend(too_early(difference));
    sentences
}

/// One sentence for each, because each has its own times.
fn too_early(difference: &Difference) -> Vec<String> {
    let leaks = difference.changes.iter().filter_map(|row| match &row.reason {
        Some(Gap::TooEarly(reason)) => Some((row, reason)),
        _ => None,
    });
    let mut sentences: Vec<String> = Vec::new();
    for (row, reason) in leaks {
        let sentence = one_too_early(row, reason, &difference.after.file);
        if !sentences.contains(&sentence) {
            sentences.push(sentence);
        }
    }
    let omitted = sentences.len().saturating_sub(NAMED_MAX);
    sentences.truncate(NAMED_MAX);
    if omitted > 0 {
        sentences.push(format!("Too early for {omitted} more; -o json has all."));
    }
    sentences
}

fn one_too_early(row: &Row, reason: &TooEarly, file: &str) -> String {
    let duration = |seconds: u64| quantity::duration_ms(seconds.saturating_mul(1_000));
    let why = reason.first_leak_s.filter(|seconds| *seconds > 0).map_or_else(
        || "twice --idle".to_owned(),
        |first| {
            let first = duration(first);
            format!(
                "the {first} after which the leak began in the earlier report, and twice --idle"
            )
        },
    );
    format!(
        "Too early: {}[{}] had run for {} when {} was made, but a leak shows only after {} ({why}).",
        escape::visible(&row.comm),
        reason.pid,
        duration(reason.age_s),
        escape::visible(file),
        duration(reason.needed_s),
    )
}

/// `python3[22630], r8go[310] and 3 more`.
fn names(rows: &[&Row]) -> String {
    let mut names: Vec<String> = Vec::new();
    for row in rows {
        let pids = row.before.iter().flat_map(|tally| &tally.pids);
        let pids = pids.take(NAMED_MAX).map(u32::to_string).collect::<Vec<_>>().join(", ");
        let name = format!("{}[{pids}]", escape::visible(&row.comm));
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let omitted = names.len().saturating_sub(NAMED_MAX);
    names.truncate(NAMED_MAX);
    let names = names.join(", ");
    if omitted > 0 { format!("{names} and {omitted} more") } else { names }
}

/// `--pid 41 --children`.
fn options(selection: &Selection) -> String {
    let texts = |name: &str, values: &[String]| {
        let values: Vec<_> = values.iter().map(|it| escape::visible(it)).collect();
        (!values.is_empty()).then(|| format!("{name} {}", values.join(",")))
    };
    let numbers = |values: &[u16]| values.iter().map(u16::to_string).collect::<Vec<_>>();
    let pids: Vec<String> = selection.pids.iter().map(u32::to_string).collect();
    let options = [
        texts("--pid", &pids),
        selection.children.then(|| "--children".to_owned()),
        texts("--comm", &selection.comms),
        texts("--cgroup", selection.cgroup.as_slice()),
        texts("--container", selection.container.as_slice()),
        texts("--local-port", &numbers(&selection.local_ports)),
        texts("--remote-port", &numbers(&selection.remote_ports)),
        texts("--remote", &selection.remotes),
    ];
    options.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use tracer_core::Confidence;

    use super::*;
    use crate::compare::{Change, Side, Tally};

    fn row(comm: &str, pids: &[u32], reason: Option<Gap>) -> Row {
        let before = Tally {
            count: 6,
            verdict: "ghost".to_owned(),
            confidence: "likely".to_owned(),
            pids: pids.iter().copied().collect(),
        };
        Row {
            change: Change::NotObserved,
            reason,
            key: format!("client-connection/outbound/10.0.0.7:443/{comm}"),
            comm: comm.to_owned(),
            direction: "outbound".to_owned(),
            destination: "10.0.0.7:443".to_owned(),
            call_site: None,
            before: Some(before),
            after: None,
        }
    }

    fn check(selection: Option<Selection>, rows: Vec<Row>, expected: &Expect) {
        let mut after = Side::empty("b\u{1b}.json");
        after.selection = selection;
        let difference = Difference::between(Side::empty("a.json"), after, Confidence::Likely);
        let difference = Difference { changes: rows, ..difference };
        let text = sentences(&difference).join("\n") + "\n";
        expected.assert_eq(&text.replace('\u{a0}', " "));
    }

    #[test]
    fn processes_that_were_not_observed_are_named() {
        let gap = || Some(Gap::ProcessNotObserved);
        let selection = Selection {
            pids: vec![41, 42],
            children: true,
            container: Some("45ef".to_owned()),
            ..Selection::default()
        };
        let rows = vec![
            row("python3", &[22_630, 22_631], gap()),
            row("r8\u{1b}go", &[310], gap()),
            row("r8\u{1b}go", &[310], gap()),
            row("gone", &[1], None),
        ];
        check(
            Some(selection),
            rows,
            &expect![[r#"
            Not observed: python3[22630, 22631], r8\x1bgo[310]. b\x1b.json covers --pid 41,42 --children --container 45ef, which includes neither this process nor one of the same name that started later; make it again for the process that replaced it, or for the whole host.
        "#]],
        );
        let many = (1..=7).map(|pid| row("api", &[pid], gap())).collect();
        check(
            Some(Selection::default()),
            many,
            &expect![[r#"
            Not observed: api[1], api[2], api[3], api[4], api[5] and 2 more. b\x1b.json covers another host (web1), which includes neither this process nor one of the same name that started later; make it again for the process that replaced it, or for the whole host.
        "#]],
        );
    }

    #[test]
    fn other_reasons_have_other_remedies() {
        let gap = || Some(Gap::ConnectionsNotSelected);
        let selection = Selection {
            remote_ports: vec![443, 80],
            remotes: vec!["10.0.0.0/8".to_owned()],
            ..Selection::default()
        };
        check(
            Some(selection),
            vec![row("api", &[9], gap())],
            &expect![[r#"
            Not observed: api[9]. b\x1b.json covers only connections with --remote-port 443,80 --remote 10.0.0.0/8; make it again with the options of a.json.
        "#]],
        );
        check(
            None,
            vec![row("api", &[9], Some(Gap::ScopeUnknown))],
            &expect![[r#"
            Not observed: api[9]. b\x1b.json does not say which processes it covers, because an earlier version of tracer made it; make it again with this version.
        "#]],
        );
    }

    #[test]
    fn processes_that_were_not_replaced_are_named() {
        check(
            Some(Selection::default()),
            vec![row("api", &[9], Some(Gap::ProcessEnded))],
            &expect![[r#"
                Not observed: api[9]. When b\x1b.json was made, no process of this name had TCP sockets; check that it runs, and make b\x1b.json again.
            "#]],
        );
        let script = "bill\u{1b}ing.py".to_owned();
        let gap = Gap::ScriptUnknown(ScriptUnknown { pid: 12, script });
        check(
            Some(Selection::default()),
            vec![row("python3", &[9], Some(gap))],
            &expect![[r#"
            Not observed: python3[9]. b\x1b.json does not say whether python3[12] runs bill\x1bing.py; make it again with --pid and the process that does.
        "#]],
        );
    }

    #[test]
    fn each_process_that_was_started_too_recently_has_a_sentence() {
        let gap = |pid, first_leak_s: Option<u64>| {
            let needed_s = 120 + first_leak_s.unwrap_or(0);
            Some(Gap::TooEarly(TooEarly { pid, age_s: 1, needed_s, first_leak_s }))
        };
        let rows = vec![
            row("r8go", &[310], gap(320, None)),
            row("r8go", &[310], gap(320, None)),
            row("api", &[311], gap(321, Some(0))),
            row("api", &[311], gap(321, Some(600))),
        ];
        check(
            Some(Selection::default()),
            rows,
            &expect![[r#"
            Too early: r8go[320] had run for 1s when b\x1b.json was made, but a leak shows only after 2m (twice --idle).
            Too early: api[321] had run for 1s when b\x1b.json was made, but a leak shows only after 2m (twice --idle).
            Too early: api[321] had run for 1s when b\x1b.json was made, but a leak shows only after 12m (the 10m after which the leak began in the earlier report, and twice --idle).
        "#]],
        );
        let many = (1..=7).map(|pid| row("api", &[pid], gap(pid, None))).collect();
        check(
            Some(Selection::default()),
            many,
            &expect![[r#"
            Too early: api[1] had run for 1s when b\x1b.json was made, but a leak shows only after 2m (twice --idle).
            Too early: api[2] had run for 1s when b\x1b.json was made, but a leak shows only after 2m (twice --idle).
            Too early: api[3] had run for 1s when b\x1b.json was made, but a leak shows only after 2m (twice --idle).
            Too early: api[4] had run for 1s when b\x1b.json was made, but a leak shows only after 2m (twice --idle).
            Too early: api[5] had run for 1s when b\x1b.json was made, but a leak shows only after 2m (twice --idle).
            Too early for 2 more; -o json has all.
        "#]],
        );
    }
}
