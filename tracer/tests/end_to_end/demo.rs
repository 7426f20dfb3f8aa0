//! `tracer demo`.

use std::os::unix::process::CommandExt as _;

use crate::support::{Tracer, command};

#[test]
fn the_demo_shows_a_leak_and_ends() {
    let outcome = Tracer::run("demo");

    assert_eq!(outcome.code, 1, "a leak is what it is for: {outcome:?}");
    assert!(outcome.stdout.contains("undrained"), "{}", outcome.stdout);
    assert!(outcome.stdout.contains("likely"), "{}", outcome.stdout);
}

#[test]
fn the_last_report_after_ctrl_c_still_shows_the_leak() {
    let mut demo = command("demo -o json");
    demo.process_group(0);
    let mut demo = Tracer::spawn(demo);
    let report = demo.wait_until(|report| report.any_leak().is_some());

    // Ctrl-C reaches all of a terminal's foreground group; the leaking processes must not be in it.
    let leaker = report.any_leak().unwrap().number("pid");
    let leaker = libc::pid_t::try_from(leaker).unwrap();
    // SAFETY: getpgid touches no memory.
    let group = unsafe { libc::getpgid(leaker) };
    assert_ne!(group, libc::pid_t::try_from(demo.id()).unwrap());
    let outcome = demo.interrupt_group();

    assert_eq!(outcome.code, 1, "{outcome:?}");
}
