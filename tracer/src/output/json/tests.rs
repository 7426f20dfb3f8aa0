#![allow(clippy::needless_raw_string_hashes, reason = "that is how expect-test writes them")]

mod finding_events;
mod findings;
mod schema;
#[path = "../../../tests/schema/validator.rs"]
pub(crate) mod validator;

use expect_test::{Expect, expect};
use serde_json::Value;
use tracer_core::TcpState;

use super::*;
use crate::output::fixture;

fn check(report: &Report, expected: &Expect) {
    let document = document(report, &fixture::context()).unwrap();
    expected.assert_eq(&document);
    let line = line(report, &fixture::context()).unwrap();
    assert_eq!(line.find('\n'), Some(line.len() - 1));
    let parsed: Value = serde_json::from_str(&document).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&line).unwrap(), parsed);
}

#[test]
fn an_empty_report() {
    check(
        &fixture::report(Vec::new()),
        &expect![[r#"
            {
              "schema": 2,
              "tool": "tracer 0.1.0",
              "host": "web1",
              "kernel": "6.18.0-amd64",
              "started_at": "2026-03-01T11:59:57.000Z",
              "at": "2026-03-01T12:00:00.000Z",
              "observed_ms": 3000,
              "thresholds": {
                "idle_s": 60,
                "min_count": 5,
                "pool_size": 10,
                "pool_idle_s": 300,
                "min_unread_bytes": 4096,
                "growth_for_s": 180
              },
              "selection": null,
              "findings": [],
              "processes": [],
              "coverage": {
                "complete": true,
                "events_lost": 0,
                "events_lost_unhealed": 0,
                "map_full": 0,
                "processes_unreadable": 0,
                "not_judged": {},
                "fds_not_connected": 0,
                "recently_closed": null,
                "sockets": 10234,
                "processes": 14,
                "snapshots": 3,
                "snapshot_interval_ms": null,
                "snapshot_interval_max_ms": null,
                "probes": [
                  {
                    "hook": "inet_sock_set_state",
                    "is_attached": true,
                    "method": "tp_btf",
                    "text": "inet_sock_set_state: tp_btf",
                    "failures": [],
                    "reason": null
                  }
                ],
                "notes": [],
                "observed": [],
                "observed_omitted": 0
              }
            }
        "#]],
    );
}

#[test]
#[expect(clippy::too_many_lines, reason = "a golden document")]
fn all_connections_and_what_was_not_seen() {
    let mut report = fixture::incomplete();
    report.unflagged = fixture::connections(1, TcpState::Established, "10.0.0.9:5432");
    report.unflagged[0].owners.clear();
    check(
        &report,
        &expect![[r#"
            {
              "schema": 2,
              "tool": "tracer 0.1.0",
              "host": "web1",
              "kernel": "6.18.0-amd64",
              "started_at": "2026-03-01T11:59:57.000Z",
              "at": "2026-03-01T12:00:00.000Z",
              "observed_ms": 3000,
              "thresholds": {
                "idle_s": 60,
                "min_count": 5,
                "pool_size": 10,
                "pool_idle_s": 300,
                "min_unread_bytes": 4096,
                "growth_for_s": 180
              },
              "selection": null,
              "findings": [],
              "processes": [],
              "coverage": {
                "complete": false,
                "events_lost": 1234,
                "events_lost_unhealed": 34,
                "map_full": 30,
                "processes_unreadable": 2,
                "not_judged": {
                  "mptcp": 2,
                  "smc": 1
                },
                "fds_not_connected": 0,
                "recently_closed": null,
                "sockets": 10234,
                "processes": 14,
                "snapshots": 3,
                "snapshot_interval_ms": null,
                "snapshot_interval_max_ms": null,
                "probes": [
                  {
                    "hook": "accept",
                    "is_attached": false,
                    "method": null,
                    "text": "accept: not attached (fexit: not permitted); which process accepted a connection is known only from the next snapshot on",
                    "failures": [
                      {
                        "code": "refused",
                        "text": "not permitted",
                        "method": "fexit",
                        "detail": "not permitted"
                      }
                    ],
                    "reason": null
                  }
                ],
                "notes": [
                  {
                    "code": "inside-pid-namespace",
                    "text": "tracer runs inside a pid namespace: processes outside it are not visible"
                  },
                  {
                    "code": "snapshots-failed",
                    "text": "1 snapshot failed",
                    "count": 1
                  },
                  {
                    "code": "connections-not-kept",
                    "text": "5 connections did not fit in the connection table",
                    "count": 5
                  },
                  {
                    "code": "responses-not-kept",
                    "text": "5 open responses did not fit in the list of open responses, so they are not tracked",
                    "count": 5
                  }
                ],
                "observed": [],
                "observed_omitted": 0
              },
              "connections": [
                {
                  "id": "0x1000",
                  "fd": null,
                  "owners": [],
                  "inode": 90000,
                  "state": "ESTABLISHED",
                  "local": "10.0.0.5:40000",
                  "remote": "10.0.0.9:5432",
                  "age_s": 3060,
                  "age_is_lower_bound": false,
                  "idle_s": 3000,
                  "unread_bytes": 0,
                  "unsent_bytes": 0,
                  "rx_bytes": 1311,
                  "tx_bytes": 240,
                  "reader": "unknown",
                  "responses": 0,
                  "held_bytes": 0,
                  "call_site": null,
                  "call_site_reason": {
                    "code": "stack-not-recorded",
                    "text": "no stack was recorded; only runs with --pid or --go record the stacks of new connections"
                  },
                  "request": null,
                  "origin": "traced"
                }
              ]
            }
        "#]],
    );
}

#[test]
fn a_stream_of_reports_is_a_line_each() {
    let line = line(&fixture::report(vec![fixture::retracted(1)]), &fixture::context()).unwrap();
    expect![[r#"
        {"schema":2,"tool":"tracer 0.1.0","host":"web1","kernel":"6.18.0-amd64","started_at":"2026-03-01T11:59:57.000Z","at":"2026-03-01T12:00:00.000Z","observed_ms":3000,"thresholds":{"idle_s":60,"min_count":5,"pool_size":10,"pool_idle_s":300,"min_unread_bytes":4096,"growth_for_s":180},"selection":null,"findings":[{"id":"f1","key":"client-connection/outbound/10.0.0.8:443/api","verdict":"undrained","confidence":"likely","pid":4711,"start_time":"2026-03-01T10:53:20.000Z","comm":"api","exe":"/usr/local/bin/api","script":null,"cmdline":null,"uid":1000,"container":null,"container_runtime":null,"pod_uid":null,"inner_pid":null,"netns":4026531840,"direction":"outbound","remote":"10.0.0.8:443","remote_port":443,"remotes":1,"local_port":null,"count":5,"peak_count":5,"peak_confidence":"likely","oldest_age_s":3060,"oldest_age_is_lower_bound":false,"growth_per_min":23,"responses":0,"unread_bytes":0,"held_bytes":0,"reader":"unknown","call_site":null,"call_site_reason":{"code":"stack-not-recorded","text":"no stack was recorded; only runs with --pid or --go record the stacks of new connections"},"call_site_reasons":[{"count":5,"reason":{"code":"stack-not-recorded","text":"no stack was recorded; only runs with --pid or --go record the stacks of new connections"}}],"request":null,"evidence":[{"code":"peer-closed","text":"the peer closed 5 connections 1m to 50m ago; the process has sent nothing since","count":5,"ago_min_s":60,"ago_max_s":3000},{"code":"rising","text":"the peer closed them one by one (at 37 separate times over 49m), the latest 1m ago","occurrence":"peer-closed","times":37,"span_s":2940,"since_last_s":60}],"caveats":[],"next_step":null,"retracted_at":"2026-03-01T11:59:48.000Z","stood_s":180,"connections":[],"connections_omitted":0}],"processes":[],"coverage":{"complete":true,"events_lost":0,"events_lost_unhealed":0,"map_full":0,"processes_unreadable":0,"not_judged":{},"fds_not_connected":0,"recently_closed":null,"sockets":10234,"processes":14,"snapshots":3,"snapshot_interval_ms":null,"snapshot_interval_max_ms":null,"probes":[{"hook":"inet_sock_set_state","is_attached":true,"method":"tp_btf","text":"inet_sock_set_state: tp_btf","failures":[],"reason":null}],"notes":[],"observed":[],"observed_omitted":0}}
    "#]].assert_eq(&line);
}

#[test]
fn hostile_strings_keep_their_meaning_and_do_nothing() {
    let report = fixture::hostile();
    let document = document(&report, &fixture::context()).unwrap();
    assert!(!document.replace('\n', "").contains(char::is_control));
    assert!(!document.contains(['\u{202e}', '\u{200b}']));
    let parsed: Value = serde_json::from_str(&document).unwrap();
    let (finding, expected) = (&parsed["findings"][0], &report.findings[0]);
    assert_eq!(finding["comm"], expected.comm.0.as_str());
    assert_eq!(finding["exe"], expected.exe.as_deref().unwrap());
    let owner = &finding["connections"][0]["owners"][1];
    assert_eq!(owner["comm"], "\u{9b}31m\u{200b}\r");
}

#[test]
fn connections_beyond_a_thousand_are_counted() {
    let document = document(&fixture::mixed(), &fixture::context()).unwrap();
    let parsed: Value = serde_json::from_str(&document).unwrap();
    let finding = &parsed["findings"][0];
    assert_eq!(finding["connections"].as_array().unwrap().len(), 1_000);
    assert_eq!(finding["connections_omitted"], 204);
    assert_eq!(finding["count"], 1_204);
}
