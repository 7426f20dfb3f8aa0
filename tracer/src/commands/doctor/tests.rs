use expect_test::expect;
use tracer_core::{AttachError, AttachFailure, AttachMethod, AttachState, Hook, Probe};

use super::*;

fn findings() -> Vec<Finding> {
    let failure = |method, detail: &str| {
        let error = AttachError::Refused { detail: detail.to_owned() };
        AttachFailure { method, error }
    };
    let fexit = |detail| failure(AttachMethod::Fexit, detail);
    let kprobe = failure(AttachMethod::Kretprobe, "b");
    let attached = AttachState::Attached {
        method: AttachMethod::Kretprobe,
        failures: vec![fexit("locked down")],
    };
    let not_attached = AttachState::NotAttached { failures: vec![fexit("a"), kprobe] };
    let hook = |state| Probe { hook: Hook::Accept, state };
    vec![
        Finding::full("kernel", "Linux 6.18"),
        Finding::of_hook(&hook(attached), "none"),
        Finding::of_hook(&hook(not_attached), "root"),
        Finding::no("snapshot", "neither way", "load tcp_diag"),
    ]
}

#[test]
fn a_line_says_what_a_lack_costs_and_what_to_do() {
    expect![[r#"
        ok    kernel                 Linux 6.18
        ok    accept                 kretprobe (fexit: locked down)
                                     costs: calls are missed while many threads wait in the system call
        less  accept                 not attached (fexit: a; kretprobe: b)
                                     costs: which process accepted a connection is known from the next snapshot on
                                     remedy: root
        no    snapshot               neither way
                                     remedy: load tcp_diag

        tracer cannot work here: see the lines marked `no`.
    "#]]
    .assert_eq(&table(&findings(), Health::Unusable));
}

#[test]
fn scripts_get_the_same() {
    let findings = findings();
    let text = json::pretty(&Document::new(Health::Degraded, &findings[2..3])).unwrap();
    expect![[r#"
        {
          "schema": 2,
          "tool": "tracer 0.1.0",
          "health": "degraded",
          "checks": [
            {
              "subject": "accept",
              "health": "degraded",
              "found": "not attached",
              "costs": "which process accepted a connection is known from the next snapshot on",
              "remedy": "root",
              "method": null,
              "failed_methods": [
                {
                  "method": "fexit",
                  "reason": "a"
                },
                {
                  "method": "kretprobe",
                  "reason": "b"
                }
              ]
            }
          ]
        }
    "#]]
    .assert_eq(&text);
}
