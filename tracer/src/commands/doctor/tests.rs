use expect_test::expect;
use tracer_core::{AttachError, AttachFailure, AttachMethod, AttachState, Hook, Probe};
use tracer_inspect::error_with_fix::ErrorWithFix;

use super::{check::cause_and_fix, *};
use crate::output::json::tests::validator::Validator;

fn checks() -> Vec<Check> {
    let failure = |method, detail: &str| {
        let error = AttachError::Refused { detail: detail.to_owned() };
        AttachFailure { method, error }
    };
    let fexit = |detail| failure(AttachMethod::Fexit, detail);
    let kretprobe = failure(AttachMethod::Kretprobe, "b");
    let attached = AttachState::Attached {
        method: AttachMethod::Kretprobe,
        failures: vec![fexit("locked down")],
    };
    let not_attached = AttachState::NotAttached { failures: vec![fexit("a"), kretprobe] };
    let hook = |state| Probe { hook: Hook::Accept, state };
    vec![
        Check::full("kernel", "Linux 6.18"),
        Check::of_hook(&hook(attached), "none"),
        Check::of_hook(&hook(not_attached), "root"),
        Check::unusable("snapshot", "neither source works", "load the module tcp_diag"),
    ]
}

#[test]
fn lines_state_the_impact_and_the_fix() {
    expect![[r#"
        ok        kernel                Linux 6.18
        ok        accept                attached by kretprobe
                  fexit does not work: locked down
                  impact: calls can be missed when many threads are blocked in it
        degraded  accept                not attached
                  fexit does not work: a
                  kretprobe does not work: b
                  impact: which process accepted a connection is known only from the
                  next snapshot on
                  fix: root
        unusable  snapshot              neither source works
                  fix: load the module tcp_diag

        tracer cannot run here: see the lines marked `unusable`.
    "#]]
    .assert_eq(&table(&checks(), Health::Unusable, 80));
}

/// The text of the verifier may contain any character.
#[test]
fn the_cause_of_an_error_is_whole_and_its_fix_is_apart() {
    let refused = "cannot load BPF programs: R1 type=ctx; expected=fp";
    let with_fix = anyhow::Error::from(ErrorWithFix::new(refused, "run as root; or as another"));
    let parts = |cause: &str, fix: &str| (cause.to_owned(), fix.to_owned());
    assert_eq!(cause_and_fix(&with_fix, "see above"), parts(refused, "run as root; or as another"));
    let without_fix = anyhow::anyhow!(refused);
    assert_eq!(cause_and_fix(&without_fix, "see above"), parts(refused, "see above"));
    assert_eq!(format!("{with_fix:#}"), format!("{refused}; run as root; or as another"));
}

#[test]
fn the_json_document_has_the_same_checks() {
    let checks = checks();
    let text = json::pretty(&Document::new(Health::Degraded, &checks[2..3])).unwrap();
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
              "impact": "which process accepted a connection is known only from the next snapshot on",
              "fix": "root",
              "method": null,
              "failures": [
                {
                  "method": "fexit",
                  "code": "refused",
                  "text": "a"
                },
                {
                  "method": "kretprobe",
                  "code": "refused",
                  "text": "b"
                }
              ]
            }
          ]
        }
    "#]]
    .assert_eq(&text);
    Validator::strict("doctor").check(&serde_json::from_str(&text).unwrap());
}
