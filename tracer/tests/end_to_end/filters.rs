//! Selections that depend on real processes. The other filters are tested on a scripted host.

use crate::support::{Kind, Leak, Puppet, Tracer};

#[test]
fn by_name() {
    let mut leak = Leak::of(Kind::Undrained, 5);
    leak.leaker.rename("leaky-name");

    let seen = Tracer::run("audit --idle 2s -o json --comm leaky-name").report();
    assert_eq!(seen.leaked_by(leak.pid()), 5, "{seen}");

    let mut other = Puppet::start();
    other.rename("another-name");
    let unseen = Tracer::run("audit --idle 2s -o json --comm another-name").report();
    assert!(unseen.findings_of(leak.pid()).is_empty(), "{unseen}");
}

#[test]
fn a_child_forked_during_the_run_is_a_descendant() {
    let mut tracer =
        Tracer::start(&format!("--pid {} --children --idle 2s -o json", std::process::id()));
    tracer.wait_for_first_report();

    let leak = Leak::of(Kind::Undrained, 5);
    let report = tracer.wait_until(|report| report.leaked_by(leak.pid()) == 5);

    leak.assert_reported_by(&report);
}
