//! Whom to watch.

use crate::support::{Kind, Leak, Puppet, Tracer};

/// Asserts that the leak is seen with the one filter and not with the other.
#[track_caller]
fn check(leak: &Leak, with: &str, without: &str) {
    let seen = Tracer::run(&format!("audit --idle 1s -o json {with}"));
    leak.assert_reported_by(&seen.report());

    let unseen = Tracer::run(&format!("audit --idle 1s -o json {without}")).report();
    assert!(unseen.findings_of(leak.pid()).is_empty(), "{without}: {unseen}");
}

#[test]
fn by_remote_port() {
    let leak = Leak::of(Kind::Undrained, 5);

    check(&leak, &format!("-D {}", leak.port()), "-D 1");
}

#[test]
fn by_local_port() {
    let leak = Leak::of(Kind::NeverRead, 5);

    check(&leak, &format!("-L 1,{}", leak.port()), "-L 1");
}

#[test]
fn by_remote_network() {
    let leak = Leak::of(Kind::Undrained, 5);
    let pid = format!("--pid {}", leak.pid());

    check(&leak, &format!("{pid} --remote 127.0.0.0/8"), &format!("{pid} --remote 10.0.0.0/8"));
}

#[test]
fn by_descent() {
    let leak = Leak::of(Kind::Undrained, 5);
    let this = format!("--pid {}", std::process::id());

    check(&leak, &format!("{this} --children"), &this);
}

#[test]
fn by_name() {
    let mut leak = Leak::of(Kind::Undrained, 5);
    leak.leaker.rename("leaky-name");

    let seen = Tracer::run("audit --idle 1s -o json --comm leaky-name").report();
    assert_eq!(seen.leaked_by(leak.pid()), 5, "{seen}");

    let mut other = Puppet::start();
    other.rename("another-name");
    let unseen = Tracer::run("audit --idle 1s -o json --comm another-name").report();
    assert!(unseen.findings_of(leak.pid()).is_empty(), "{unseen}");
}

#[test]
fn a_selection_that_cannot_match_is_no_all_clear() {
    for (selection, words) in [
        ("--comm sixteen-letters-", &["--comm", "15 bytes"][..]),
        ("--comm nobody-has-it", &["no process is named nobody-has-it"]),
        ("--container 0000dead", &["no process is in a container 0000dead"]),
        ("--cgroup /nobody/is/in/it", &["no process is in the cgroup /nobody/is/in/it"]),
    ] {
        let outcome = Tracer::run(&format!("audit --for 0s {selection}"));
        assert_eq!(outcome.code, 2, "{outcome:?}");
        outcome.assert_one_line_error(words);
    }
}

#[test]
fn a_child_that_is_born_later_is_a_descendant_too() {
    let mut tracer =
        Tracer::start(&format!("--pid {} --children --idle 1s -o json", std::process::id()));
    tracer.wait_until_it_looks();

    let leak = Leak::of(Kind::Undrained, 5);
    let report = tracer.wait_until(|report| report.leaked_by(leak.pid()) == 5);

    leak.assert_reported_by(&report);
}
