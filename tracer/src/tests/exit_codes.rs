//! 0 no leak, 1 a leak as the options define one, 2 an error.

use super::run::{Leak, run, run_offline};
use crate::collect::backend::scripted::Process;

#[test]
fn fail_on_sets_the_least_confidence_of_a_leak() {
    let process = Process::this();
    for (flag, code) in [("", 1), ("--fail-on likely", 1), ("--fail-on certain", 0)] {
        let host = Leak::Undrained.before_the_run(&process, 6);

        let outcome = run(&format!("audit --pid {} --idle 1s -o json {flag}", process.pid), host);

        assert_eq!(outcome.code, code, "{flag}: {outcome:?}");
        let finding = outcome.finding(&process);
        assert_eq!((finding.text("confidence"), finding.count()), ("likely", 6), "{outcome:?}");
    }
}

#[test]
fn fewer_connections_than_min_count_are_a_possible_leak() {
    let process = Process::this();
    let audit = format!("audit --pid {} --idle 1s -o json", process.pid);
    for (flag, code) in [("", 0), ("--fail-on possible", 1), ("--min-count 3", 1)] {
        let outcome = run(&format!("{audit} {flag}"), Leak::Undrained.before_the_run(&process, 3));

        assert_eq!(outcome.code, code, "{flag}: {outcome:?}");
        let confidence = if flag == "--min-count 3" { "likely" } else { "possible" };
        assert_eq!(outcome.finding(&process).text("confidence"), confidence, "{flag}");
    }
}

#[test]
fn connections_used_more_recently_than_idle_are_no_leak() {
    let process = Process::this();
    let host = Leak::Undrained.before_the_run(&process, 6);

    let outcome = run(&format!("audit --pid {} --idle 1h -o json", process.pid), host);

    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert!(outcome.report().findings_of(process.pid).is_empty(), "{outcome:?}");
}

#[test]
fn errors_are_one_line_with_the_cause() {
    for (arguments, words) in [
        ("audit --pid 4194304", &["4194304"][..]),
        ("--pid 4194304", &["4194304"]),
        ("audit --comm sixteen-letters-", &["--comm", "15 bytes"]),
        ("audit --comm nobody-has-it", &["nobody-has-it"]),
        ("audit --container 0000dead", &["container", "0000dead"]),
        ("audit --cgroup /nobody/is/in/it", &["cgroup", "/nobody/is/in/it"]),
        ("audit --call-sites /no/such/file", &["--call-sites", "No such file"]),
        ("audit --csv /no/such/directory/leaks.csv", &["/no/such/directory/leaks.csv"]),
        ("replay /no/such/file", &["/no/such/file"]),
        ("replay /", &["/"]),
        ("diff /no/such/file /no/such/file", &["No such file"]),
        ("audit --no-such-option", &["--no-such-option"]),
        ("audit -o yaml", &["yaml"]),
        ("audit --remote 10.0.0.0/99", &["--remote", "10.0.0.0/99"]),
        ("audit --local-port 70000", &["--local-port", "70000"]),
        ("audit --container web", &["--container", "web"]),
        ("--pid 0x1", &["--pid", "0x1"]),
    ] {
        let outcome = run_offline(arguments);
        outcome.assert_error(words);
        assert_eq!(outcome.stdout, "", "{arguments}");
    }
}

#[test]
fn an_invalid_call_site_rule_is_reported_with_its_line() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("rules.txt");
    std::fs::write(&path, "[go]\nlibary package github.com/acme\n").unwrap();
    for command in ["audit", ""] {
        let words = ["--call-sites", "rules.txt", "line 2", "libary", "expected"];
        run_offline(&format!("{command} --call-sites {}", path.display())).assert_error(&words);
    }
}
