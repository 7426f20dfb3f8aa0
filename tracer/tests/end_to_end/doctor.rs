//! The checks of `tracer doctor`.

use std::{fs, os::unix::process::CommandExt as _, process::Command};

use serde_json::Value;

use crate::support::{
    NOBODY, Outcome, Tracer, command, found, program_for_all, validator::Validator,
};

#[test]
fn doctor_shows_every_hook() {
    let outcome = Tracer::run("doctor");

    assert!([0, 3].contains(&outcome.code), "{outcome:?}");
    for hook in ["inet_sock_set_state", "tcp_destroy_sock", "accept", "task_file", "uprobes"] {
        assert!(outcome.stdout.contains(hook), "{hook} is not in {}", outcome.stdout);
    }
    assert!(!outcome.stdout.contains('\x1b'), "{:?}", outcome.stdout);
}

/// The checks of the JSON document, whose health must match the exit code.
fn checks(outcome: &Outcome) -> Vec<Value> {
    let document: Value = serde_json::from_str(&outcome.stdout).unwrap();
    let health = match outcome.code {
        0 => "full",
        3 => "degraded",
        2 => "unusable",
        other => panic!("exit code {other}: {outcome:?}"),
    };
    Validator::strict("doctor").check(&document);
    assert_eq!(document["health"], health, "{document}");
    let checks = document["checks"].as_array().unwrap();
    for check in checks {
        let is_full = check["health"] == "full";
        assert_eq!(check["fix"].is_null(), is_full, "{check}");
    }
    checks.clone()
}

fn check(checks: &[Value], subject: &str) -> Value {
    let found = checks.iter().find(|check| check["subject"] == subject);
    found.unwrap_or_else(|| panic!("{subject} is not in {checks:?}")).clone()
}

#[test]
fn json_has_the_attach_method_of_each_hook_and_why_better_ones_fail() {
    let checks = checks(&Tracer::run("doctor -o json"));

    let state = check(&checks, "inet_sock_set_state");
    assert!(state["method"].is_string(), "{state}");
    for hook in ["inet_sock_set_state", "tcp_destroy_sock", "accept", "accept4"] {
        for failed in check(&checks, hook)["failures"].as_array().unwrap() {
            assert_ne!(failed["text"], "", "{failed}");
        }
    }
}

#[test]
fn without_privileges_it_names_capabilities_and_sysctls() {
    let directory = tempfile::tempdir().unwrap();
    let mut command = Command::new(program_for_all(directory.path()));
    command.args(["doctor", "-o", "json"]).gid(NOBODY).uid(NOBODY);

    let outcome = Tracer::spawn(command).finish();

    assert_eq!(outcome.code, 3, "{outcome:?}");
    let checks = checks(&outcome);
    for subject in ["CAP_BPF, CAP_PERFMON", "CAP_SYS_PTRACE", "CAP_DAC_READ_SEARCH", "snapshot"] {
        let check = check(&checks, subject);
        assert_eq!(check["health"], "degraded", "{check}");
        assert!(check["impact"].is_string(), "{check}");
    }
    for (subject, setting) in [
        ("unprivileged_bpf", "unprivileged_bpf_disabled"),
        ("perf_event_paranoid", "perf_event_paranoid"),
        ("kptr_restrict", "kptr_restrict"),
    ] {
        let Ok(value) = fs::read_to_string(format!("/proc/sys/kernel/{setting}")) else {
            continue;
        };
        let found = check(&checks, subject)["found"].to_string();
        let expected = format!("kernel.{setting} = {}", value.trim());
        assert!(found.contains(&expected), "{expected} is not in {found}");
    }
}

/// In a pid namespace with the host's `/proc`, the pids in `/proc` belong to other processes.
#[test]
fn a_host_on_which_tracer_cannot_run_is_unusable() {
    let Some(unshare) = found("unshare", &["--version"]) else { return };
    let mut unshare = Command::new(unshare);
    unshare.args(["--pid", "--fork"]).arg(command("").get_program()).args(["doctor", "-o", "json"]);

    let outcome = Tracer::spawn(unshare).finish();

    assert_eq!(outcome.code, 2, "{outcome:?}");
    assert_eq!(check(&checks(&outcome), "processes")["health"], "unusable");
}
