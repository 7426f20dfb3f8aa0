//! Documents with one finding.

use super::*;

#[test]
#[expect(clippy::too_many_lines, reason = "the whole document, so that nothing in it goes unseen")]
fn an_outbound_finding() {
    let mut outbound = fixture::with_call_site(1);
    outbound.connections.truncate(1);
    let mut report = fixture::report(vec![outbound]);
    report.processes = fixture::mixed().processes;
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
              "findings": [
                {
                  "id": "f1",
                  "key": "response/outbound/[2001:db8:85a3::8a2e:370:7334]:443/api",
                  "verdict": "body-not-closed",
                  "confidence": "certain",
                  "pid": 4711,
                  "start_time": "2026-03-01T10:53:20.000Z",
                  "comm": "api",
                  "exe": "/usr/local/bin/api",
                  "script": null,
                  "cmdline": "/usr/local/bin/api --config /etc/api.toml",
                  "uid": 1000,
                  "container": "4f3c2b1a09182736455463728190",
                  "container_runtime": "containerd",
                  "pod_uid": "6a1e4f0c-1d2b-4c3d-8e5f-a0b1c2d3e4f5",
                  "inner_pid": 7,
                  "netns": 4026531840,
                  "direction": "outbound",
                  "remote": "[2001:db8:85a3::8a2e:370:7334]:443",
                  "remote_port": 443,
                  "remotes": 1,
                  "local_port": null,
                  "count": 23,
                  "peak_count": 23,
                  "peak_confidence": "likely",
                  "oldest_age_s": 3060,
                  "oldest_age_is_lower_bound": false,
                  "growth_per_min": 0.4,
                  "responses": 23,
                  "unread_bytes": 115000,
                  "held_bytes": 0,
                  "reader": "none",
                  "call_site": "main.(*Client).doSomething billing.go:23",
                  "call_site_reason": null,
                  "call_site_reasons": [],
                  "request": "GET http://billing/charge",
                  "evidence": [
                    {
                      "code": "open-responses",
                      "text": "23 HTTP responses requested 50m ago, neither read to EOF nor closed",
                      "count": 23,
                      "age_min_s": 3000,
                      "age_max_s": 3000
                    },
                    {
                      "code": "response-unreferenced",
                      "text": "heap search, all 23: Go's HTTP client is waiting for the response body to be read or closed, and nothing in the program can reach it any more",
                      "count": 23,
                      "total": 23
                    },
                    {
                      "code": "requests",
                      "text": "requests: GET http://billing/charge (23)",
                      "top": [
                        {
                          "value": "GET http://billing/charge",
                          "count": 23
                        }
                      ],
                      "others": 0
                    }
                  ],
                  "caveats": [],
                  "next_step": "Close the body of every response on every path; in Go, put defer response.Body.Close() right after the error check.",
                  "retracted_at": null,
                  "stood_s": 2940,
                  "connections": [
                    {
                      "id": "0x1000",
                      "fd": 7,
                      "owners": [
                        {
                          "pid": 4711,
                          "start_time": "2026-03-01T10:53:20.000Z",
                          "comm": "api",
                          "fd": 7
                        }
                      ],
                      "inode": 90000,
                      "state": "ESTABLISHED",
                      "local": "[2001:db8::5]:40000",
                      "remote": "[2001:db8:85a3::8a2e:370:7334]:443",
                      "age_s": 3060,
                      "age_is_lower_bound": false,
                      "idle_s": 3000,
                      "unread_bytes": 5000,
                      "unsent_bytes": 0,
                      "rx_bytes": 1311,
                      "tx_bytes": 240,
                      "reader": "none",
                      "responses": 1,
                      "held_bytes": 0,
                      "call_site": "main.(*Client).doSomething billing.go:23",
                      "call_site_reason": {
                        "code": "stack-not-recorded",
                        "text": "no stack was recorded; only runs with --pid or --go record the stacks of new connections"
                      },
                      "request": "GET http://billing/charge",
                      "origin": "traced"
                    }
                  ],
                  "connections_omitted": 0
                }
              ],
              "processes": [
                {
                  "pid": 4711,
                  "start_time": "2026-03-01T10:53:20.000Z",
                  "comm": "api",
                  "tcp_fds": 1211,
                  "fds_not_connected": 0,
                  "open_fds": 1240,
                  "fd_limit": 65536,
                  "growth_per_min": 23,
                  "growth_is_reconstructed": false,
                  "seconds_to_fd_limit": 165600,
                  "goroutines": {
                    "total": 3630,
                    "read_loops": 1204,
                    "write_loops": 1203
                  }
                }
              ],
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
#[expect(clippy::too_many_lines, reason = "a document")]
fn an_inbound_finding() {
    let mut inbound = fixture::inbound(2);
    inbound.connections.truncate(1);
    check(
        &fixture::report(vec![inbound]),
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
              "findings": [
                {
                  "id": "f2",
                  "key": "accepted/inbound/:8080/nginx",
                  "verdict": "ghost",
                  "confidence": "possible",
                  "pid": 801,
                  "start_time": "2026-02-28T11:00:00.000Z",
                  "comm": "nginx",
                  "exe": "/usr/sbin/nginx",
                  "script": null,
                  "cmdline": null,
                  "uid": 33,
                  "container": null,
                  "container_runtime": null,
                  "pod_uid": null,
                  "inner_pid": null,
                  "netns": 4026531840,
                  "direction": "inbound",
                  "remote": null,
                  "remote_port": null,
                  "remotes": 0,
                  "local_port": 8080,
                  "count": 12,
                  "peak_count": 12,
                  "peak_confidence": "likely",
                  "oldest_age_s": 3060,
                  "oldest_age_is_lower_bound": true,
                  "growth_per_min": null,
                  "responses": 0,
                  "unread_bytes": 0,
                  "held_bytes": 0,
                  "reader": "unknown",
                  "call_site": null,
                  "call_site_reason": {
                    "code": "opened-before-tracing",
                    "text": "opened before tracing began, so no stack was recorded; a run with --pid that lasts longer than --idle can name the lines of connections leaked during it"
                  },
                  "call_site_reasons": [
                    {
                      "count": 11,
                      "reason": {
                        "code": "opened-before-tracing",
                        "text": "opened before tracing began, so no stack was recorded; a run with --pid that lasts longer than --idle can name the lines of connections leaked during it"
                      }
                    },
                    {
                      "count": 1,
                      "reason": {
                        "code": "stack-not-recorded",
                        "text": "no stack was recorded; only runs with --pid or --go record the stacks of new connections"
                      }
                    }
                  ],
                  "request": null,
                  "evidence": [
                    {
                      "code": "dead",
                      "text": "12 connections have been in CLOSE for at least 50m with their fds still open; ss does not list them",
                      "count": 12,
                      "dead_min_s": 3000,
                      "dead_max_s": 3000,
                      "is_lower_bound": true
                    },
                    {
                      "code": "death-unnoticed",
                      "text": "the process has received no error or EOF on any of the 12 connections: it has not used them since they died",
                      "count": 12
                    }
                  ],
                  "caveats": [
                    {
                      "code": "single-cause-possible",
                      "text": "a single cause, such as a restart of the peer or a burst of load, may explain all of them"
                    }
                  ],
                  "next_step": "Watch for longer: sudo tracer audit --pid 801 --for 3m --show possible --no-uprobes. A leak stays or grows; slow readers catch up and retries end.",
                  "retracted_at": null,
                  "stood_s": 2940,
                  "connections": [
                    {
                      "id": "0x1000",
                      "fd": 20,
                      "owners": [
                        {
                          "pid": 801,
                          "start_time": "2026-02-28T11:00:00.000Z",
                          "comm": "nginx",
                          "fd": 20
                        },
                        {
                          "pid": 802,
                          "start_time": "2026-02-28T11:00:01.000Z",
                          "comm": "nginx-worker",
                          "fd": 20
                        }
                      ],
                      "inode": 90000,
                      "state": "CLOSE",
                      "local": "[2001:db8::5]:8080",
                      "remote": "[2001:db8:85a3::8a2e:370:7334]:50123",
                      "age_s": 3060,
                      "age_is_lower_bound": true,
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
                      "origin": "seeded"
                    }
                  ],
                  "connections_omitted": 0
                }
              ],
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
