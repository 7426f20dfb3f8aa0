//! A process that was not inspected is not a process without a reader.

use std::format;

use expect_test::expect;

use super::{check, watched::watch};

/// Responses that goroutines are reading slowly.
const IN_USE: &str = "
    0s leave-uninspected pid=10
    0s open a1..a8 every=1s pid=10
    1s send a1..a8 every=1s bytes=100
    1s start-response a1..a8 every=1s stack=7
    2s receive a1..a8 every=1s bytes=300000
    0s call-site stack=7 is=main.export,report.go:40
    ";

#[test]
fn responses_of_a_process_that_was_not_inspected_are_not_flagged() {
    for report in watch(10_000, 2, 120, IN_USE) {
        assert!(report.flagged.is_empty(), "at {} s: {:?}", report.at_s, report.flagged);
    }
}

/// Once the process is inspected, its leaks are found.
#[test]
fn responses_are_flagged_once_the_process_is_inspected() {
    let rest = "
        12s reader a1..a8 is=none http=body
        60s inspect pid=10
        ";
    let reports = watch(10_000, 2, 120, &[IN_USE, rest].concat());
    for report in reports {
        if report.at_s >= 60 {
            assert_eq!(report.flagged, ["body-not-closed certain x8"], "at {} s", report.at_s);
        } else {
            assert!(report.flagged.is_empty(), "at {} s: {:?}", report.at_s, report.flagged);
        }
    }
}

/// Without a valid answer, a finding keeps its confidence, and no connections are added to it.
#[test]
fn a_finding_keeps_its_confidence_without_an_answer() {
    let timeline = "
        0s accept a1..a9 every=10s pid=10
        1s receive a1..a9 every=10s bytes=100
        181s leave-uninspected pid=10
        182s accept b1..b9 every=10s pid=10
        183s receive b1..b9 every=10s bytes=100
        400s inspect pid=10
        ";
    for report in watch(60_000, 5, 430, timeline) {
        let expected: &[&str] = match report.at_s {
            180..=395 => &["never-read likely x9"],
            405.. => &["never-read likely x18"],
            _ => continue,
        };
        assert_eq!(report.flagged, expected, "at {} s", report.at_s);
    }
}

/// The answer is older than `--idle`, or the connections have received data since.
#[test]
fn an_answer_holds_until_the_connection_changes_and_at_most_for_idle() {
    check(
        "
        0s open a1..a25 every=6s pid=10
        0s send a1..a25 every=6s bytes=100
        1s receive a1..a25 every=6s bytes=200
        1s read a1..a25 every=6s
        200s reader a1..a25 is=none http=body
        250s snapshot
        251s leave-uninspected pid=10
        300s snapshot
        300s report
        312s snapshot
        312s report
        ",
        &expect![[r#"
            [5m]
              #1 abandoned certain: p10[10] outbound 10.0.0.1:443 x25, oldest 5m, active 50s ~+10.0/min, reader none
                 response-silent count=25 silent=155000..299000ms
                 response-unreferenced count=25 total=25
                 rising occurrence=WentSilent times=25 span_ms=144000 since_last_ms=155000
            [5m 12s]
              #2 never-reused possible: p10[10] outbound 10.0.0.1:443 x25, oldest 5m 12s, active 0s +0.0/min
                 served-once count=25 silent=167000..311000ms
                 rising occurrence=WentSilent times=25 span_ms=144000 since_last_ms=167000
                 but cause-ambiguous
        "#]],
    );
}

/// If neither an epoll instance nor Go's runtime has a connection, no inspection can show that it
/// has no reader, so it is asked about less often.
#[test]
fn a_connection_out_of_sight_is_asked_about_less_often() {
    for (registered, asked_again_s) in [("registered=yes", 110), ("", 365)] {
        let timeline = format!(
            "
            0s accept a1..a9 pid=10
            1s receive a1..a9 bytes=100
            2s read a1..a9
            3s send a1..a9 bytes=100
            4s reader a1..a9 is=unknown {registered}
            80s reader a1..a9 is=none registered=yes
            "
        );
        let reports = watch(60_000, 5, 400, &timeline);
        let first = reports.iter().find(|report| !report.possible.is_empty()).unwrap();
        assert_eq!(first.possible, ["abandoned possible x9"]);
        assert!(first.at_s.abs_diff(asked_again_s) <= 10, "{registered}: at {} s", first.at_s);
    }
}
