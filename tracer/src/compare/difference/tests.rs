use super::*;

/// When every process started.
const STARTED: &str = "2026-03-01T09:00:00.000Z";

/// A report with findings, one per line: verdict, confidence, count, and other fields that differ
/// from the default.
fn side(findings: &str) -> Side {
    let findings: Vec<serde_json::Value> = findings
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .map(|line| {
            let mut words = line.split_whitespace();
            let mut finding = serde_json::json!({
                "verdict": words.next(),
                "confidence": words.next(),
                "count": words.next().unwrap().parse::<u64>().unwrap(),
                "pid": 1, "start_time": STARTED, "comm": "api", "direction": "outbound", "remote": "10.0.0.7:443",
                "remote_port": 443, "local_port": null, "call_site": null, "retracted_at": null,
                "evidence": ["a field that does not matter here"],
            });
            for word in words {
                let (name, value) = word.split_once('=').unwrap();
                let text = value.replace('_', " ");
                finding[name] = value.parse::<u32>().map_or(text.into(), Into::into);
            }
            finding
        })
        .collect();
    let observed =
        (1..20).map(|pid| serde_json::json!({ "pid": pid, "start_time": STARTED, "comm": "" }));
    let observed: Vec<_> = observed.collect();
    let document = serde_json::json!({
        "schema": 1, "host": "web1", "at": "2026-03-01T12:00:00.000Z", "findings": findings,
        "selection": {}, "coverage": { "complete": true, "observed": observed },
    });
    Side::parse(&document.to_string()).unwrap()
}

/// Checks how each leak changed: `grown api 10.0.0.7:443 5 7 main.get a.go:9`.
#[track_caller]
fn check(before: &str, after: &str, expected: &[&str]) {
    let difference = Difference::between(side(before), side(after), Confidence::Likely);
    let shown = |tally: &Option<Tally>| tally.as_ref().map_or(0, |tally| tally.count);
    let rows = difference.changes.iter().map(|row| {
        let (before, after) = (shown(&row.before), shown(&row.after));
        let site = row.call_site.as_deref().unwrap_or("-");
        let change = row.change.name();
        format!("{change} {} {} {before} {after} {site}", row.comm, row.destination)
    });
    assert_eq!(rows.collect::<Vec<_>>(), expected);
}

#[test]
fn a_leak_is_new_gone_grown_shrunk_or_the_same() {
    check("", "ghost likely 6", &["new api 10.0.0.7:443 0 6 -"]);
    check("ghost likely 6", "", &["gone api 10.0.0.7:443 6 0 -"]);
    check("ghost likely 6", "ghost likely 7", &["grown api 10.0.0.7:443 6 7 -"]);
    check("ghost likely 6", "ghost likely 5", &["shrunk api 10.0.0.7:443 6 5 -"]);
    check("ghost likely 6", "ghost likely 6", &["same api 10.0.0.7:443 6 6 -"]);
    check("", "", &[]);
}

#[test]
fn a_process_that_was_started_anew_is_the_same_one() {
    check("ghost likely 6 pid=1", "ghost likely 6 pid=9", &["same api 10.0.0.7:443 6 6 -"]);
    let workers = "ghost likely 3 pid=2\nghost likely 4 pid=3";
    check("ghost likely 6", workers, &["grown api 10.0.0.7:443 6 7 -"]);
}

#[test]
fn verdicts_that_depend_on_the_peer_are_one_kind() {
    check("body-not-closed certain 6", "close-wait likely 6", &["same api 10.0.0.7:443 6 6 -"]);
    check(
        "close-wait likely 6",
        "unshared-pool likely 6",
        &["new api 10.0.0.7:443 0 6 -", "gone api 10.0.0.7:443 6 0 -"],
    );
}

/// Findings whose key only one report has are compared by process, destination and kind of verdict.
#[test]
fn findings_are_matched_by_key_first() {
    let response = "key=response/outbound/10.0.0.7:443/api";
    let connection = "key=client-connection/outbound/10.0.0.7:443/api";
    check(
        &format!("close-wait likely 6 {connection}"),
        &format!("ghost likely 6 {connection}"),
        &["same api 10.0.0.7:443 6 6 -"],
    );
    check(
        &format!("body-not-closed certain 6 {response}\nclose-wait likely 5 {connection}"),
        &format!("body-not-closed certain 7 {response}\nclose-wait likely 4 {connection}"),
        &["grown api 10.0.0.7:443 6 7 -", "shrunk api 10.0.0.7:443 5 4 -"],
    );
    check(
        &format!("close-wait likely 6 {connection}"),
        &format!("body-not-closed certain 6 {response}"),
        &["same api 10.0.0.7:443 6 6 -"],
    );
    check(
        &format!("undrained likely 6 {connection}"),
        &format!("undrained likely 6 {connection}\nnever-read likely 5 {connection}"),
        &["new api 10.0.0.7:443 0 5 -", "same api 10.0.0.7:443 6 6 -"],
    );
}

/// A report that could observe less, or more, has two keys for a leak that has one key in the other
/// report.
#[test]
fn findings_that_are_left_over_belong_to_the_leak_of_their_place() {
    let response = "key=response/outbound/10.0.0.7:443/api";
    let connection = "key=client-connection/outbound/10.0.0.7:443/api";
    let one = format!("body-not-closed certain 6 {response}");
    let both = format!("body-not-closed certain 4 {response}\nclose-wait likely 2 {connection}");
    check(&one, &both, &["same api 10.0.0.7:443 6 6 -"]);
    check(&both, &one, &["same api 10.0.0.7:443 6 6 -"]);
    let one = format!("body-not-closed certain 6 {response} call_site=main.get_a.go:9");
    let both = format!(
        "body-not-closed certain 4 {response} call_site=main.get_a.go:9
         close-wait likely 3 {connection} call_site=main.dial_a.go:3"
    );
    check(&one, &both, &["grown api 10.0.0.7:443 6 7 -"]);
    let elsewhere = "key=client-connection/outbound/10.0.0.8:443/api remote=10.0.0.8:443";
    check(
        &one,
        &format!("{one}\nclose-wait likely 3 {elsewhere}"),
        &["new api 10.0.0.8:443 0 3 -", "same api 10.0.0.7:443 6 6 main.get a.go:9"],
    );
}

#[test]
fn reports_of_schema_1_have_keys_too() {
    let key = |finding: &str| side(finding).findings.remove(0).key;
    for (finding, expected) in [
        ("ghost likely 6", "client-connection/outbound/10.0.0.7:443/api"),
        ("body-not-closed likely 6", "response/outbound/10.0.0.7:443/api"),
        ("inherited likely 6", "inherited/outbound/10.0.0.7:443/api"),
        ("ghost likely 6 direction=inbound local_port=8080", "accepted/inbound/:8080/api"),
    ] {
        assert_eq!(key(finding), expected);
    }
}

#[test]
fn notes_of_both_schemas_are_read() {
    let document = |schema: u32, notes: &str| {
        format!(
            r#"{{"schema":{schema},"host":"a","at":"x","findings":[],"coverage":{{"complete":false,"notes":{notes}}}}}"#
        )
    };
    for (schema, notes, code) in [
        (1, r#"["a"]"#, "recorded"),
        (2, r#"[{"code":"snapshots-failed","text":"a","count":1}]"#, "snapshots-failed"),
    ] {
        let side = Side::parse(&document(schema, notes)).unwrap();
        assert_eq!(side.other_schema(), None);
        let note = super::super::Note { code: code.to_owned(), text: "a".to_owned() };
        assert_eq!(side.coverage.notes, [note]);
    }
    let newer = Side::parse(&document(3, "[]")).unwrap();
    assert_eq!(newer.other_schema(), Some(3));
}

#[test]
fn other_names_destinations_and_directions_are_other_leaks() {
    for other in ["comm=web", "remote=10.0.0.8:443", "direction=inbound local_port=443"] {
        let after = format!("ghost likely 6 {other}");
        let difference =
            Difference::between(side("ghost likely 6"), side(&after), Confidence::Likely);
        let changes: Vec<Change> = difference.changes.iter().map(|row| row.change).collect();
        assert_eq!(changes, [Change::New, Change::Gone], "{other}");
    }
    let inbound = "never-read likely 6 direction=inbound local_port=8080";
    check("", inbound, &["new api *:8080 0 6 -"]);
}

#[test]
fn call_sites_are_distinguished_and_a_line_may_move() {
    check(
        "ghost likely 6 call_site=main.get_a.go:9\nghost likely 5 call_site=main.put_a.go:20",
        "ghost likely 7 call_site=main.get_a.go:11\nghost likely 5 call_site=main.del_a.go:30",
        &[
            "new api 10.0.0.7:443 0 5 main.del a.go:30",
            "grown api 10.0.0.7:443 6 7 main.get a.go:11",
            "gone api 10.0.0.7:443 5 0 main.put a.go:20",
        ],
    );
}

#[test]
fn what_one_report_has_no_call_site_of_is_compared_as_a_whole() {
    check(
        "ghost likely 6 call_site=main.get_a.go:9\nghost likely 5 call_site=main.put_a.go:20",
        "ghost likely 9",
        &["shrunk api 10.0.0.7:443 11 9 -"],
    );
    check(
        "ghost likely 6 call_site=main.get_a.go:9",
        "ghost likely 9",
        &["grown api 10.0.0.7:443 6 9 main.get a.go:9"],
    );
    check(
        "ghost likely 6 call_site=main.get_a.go:9\nghost likely 5",
        "ghost likely 6 call_site=main.get_a.go:9",
        &["same api 10.0.0.7:443 6 6 main.get a.go:9", "gone api 10.0.0.7:443 5 0 -"],
    );
}

#[test]
fn low_confidence_and_retracted_findings_are_no_leaks() {
    check("ghost possible 6", "ghost possible 9", &[]);
    check("ghost possible 6", "ghost likely 6", &["new api 10.0.0.7:443 6 6 -"]);
    check("ghost likely 6", "ghost possible 6", &["shrunk api 10.0.0.7:443 6 6 -"]);
    check("", "stale-pool info 2", &[]);
    let retracted = "ghost likely 6 retracted_at=2026-03-01T12:00:00Z";
    check("ghost likely 6", retracted, &["gone api 10.0.0.7:443 6 0 -"]);
    let sure = Difference::between(side(""), side("ghost likely 6"), Confidence::Certain);
    assert_eq!(sure.changes, []);
}

#[test]
fn what_is_below_the_threshold_in_both_reports_is_counted() {
    let before = "ghost possible 6\nclose-wait likely 9 remote=10.0.0.8:443\nstale-pool info 3";
    let after = "ghost possible 500\nclose-wait possible 2 remote=10.0.0.8:443";
    let difference = Difference::between(side(before), side(after), Confidence::Likely);
    let below = |findings, connections| Below { findings, connections };
    let expected = NotCompared { before: below(1, 6), after: below(1, 500) };
    assert_eq!(difference.not_compared, expected, "the one that shrank is compared");
    assert_eq!(difference.changes.len(), 1);
}

#[test]
fn of_several_documents_the_last_one_counts() {
    let documents = "{\"schema\":1,\"host\":\"a\",\"at\":\"x\",\"findings\":[],\"coverage\":{\"complete\":false}}\n";
    let both = documents.to_owned() + &documents.replace("\"a\"", "\"b\"");
    assert_eq!(Side::parse(&both).unwrap().host, "b");
    for text in ["", "{}", "SCHEMA,TIME\r\n", &both[..20]] {
        assert!(Side::parse(text).is_err(), "{text}");
    }
}
