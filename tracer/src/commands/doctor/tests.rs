use expect_test::expect;

use super::*;
use crate::collect::kernel::{
    attach::{HookReport, MethodFailure},
    attach_error::AttachError,
};

fn findings() -> Vec<Finding> {
    let failure = |method, detail: &str| {
        let reason = AttachError::Refused { detail: detail.to_owned() };
        MethodFailure { method, reason }
    };
    let hook = |method, failures| HookReport {
        name: "accept",
        method,
        caveat: method.map(|_| "some are missed"),
        failures,
        absence_costs: "who accepted is not known",
    };
    vec![
        Finding::full("kernel", "Linux 6.18"),
        Finding::of_hook(&hook(Some("kretprobe"), vec![failure("fexit", "locked down")]), "none"),
        Finding::of_hook(&hook(None, vec![failure("fexit", "a"), failure("kprobe", "b")]), "root"),
        Finding::no("snapshot", "neither way", "load tcp_diag"),
    ]
}

#[test]
fn a_line_says_what_a_lack_costs_and_what_to_do() {
    expect![[r#"
        ok    kernel                 Linux 6.18
        ok    accept                 kretprobe (fexit: locked down)
                                     costs: some are missed
        less  accept                 not attached (fexit: a; kprobe: b)
                                     costs: who accepted is not known
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
          "schema": 1,
          "tool": "tracer 0.1.0",
          "health": "degraded",
          "checks": [
            {
              "subject": "accept",
              "health": "degraded",
              "found": "not attached",
              "costs": "who accepted is not known",
              "remedy": "root",
              "rung": null,
              "higher_rungs": [
                {
                  "rung": "fexit",
                  "reason": "a"
                },
                {
                  "rung": "kprobe",
                  "reason": "b"
                }
              ]
            }
          ]
        }
    "#]]
    .assert_eq(&text);
}
