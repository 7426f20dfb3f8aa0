//! Live runs.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    process::Command,
};

use crate::support::{Kind, Leak, Puppet, Tracer};

#[test]
fn connections_opened_before_and_while_tracing_are_distinguished() {
    let (mut server, mut client) = (Puppet::start(), Puppet::start());
    let listener = server.listen();
    let before = client.connect(listener, 3);
    let mut tracer = Tracer::start(&format!("--pid {} --all -o json", client.pid()));
    tracer.wait_for_first_report();

    let after = client.connect(listener, 2);
    let report = tracer.wait_until(|report| report.connections_of(client.pid()).len() == 5);

    let origins: BTreeMap<_, _> = report
        .connections_of(client.pid())
        .iter()
        .map(|it| (it.fd(), (it.text("origin").to_owned(), it.flag("age_is_lower_bound"))))
        .collect();
    let as_seeded = before.into_iter().map(|fd| (fd, ("seeded".to_owned(), true)));
    let as_traced = after.into_iter().map(|fd| (fd, ("traced".to_owned(), false)));
    assert_eq!(origins, as_seeded.chain(as_traced).collect());
}

#[test]
fn an_accepted_connection_is_traced_too() {
    let (mut server, mut client) = (Puppet::start(), Puppet::start());
    let listener = server.listen();
    let mut tracer = Tracer::start(&format!("--pid {} --all -o json", server.pid()));
    tracer.wait_for_first_report();

    client.connect(listener, 2);
    let accepted = server.accept(listener, 2);
    let report = tracer.wait_until(|report| report.connections_of(server.pid()).len() == 2);

    for connection in report.connections_of(server.pid()) {
        assert!(accepted.contains(&connection.fd()), "{report}");
        assert_eq!(connection.text("origin"), "traced");
        assert!(!connection.flag("age_is_lower_bound"));
    }
}

#[test]
fn a_leak_that_is_closed_is_retracted() {
    let mut leak = Leak::of(Kind::Undrained, 6);
    let mut tracer = Tracer::start(&format!("--pid {} --idle 2s -o json", leak.pid()));
    let report = tracer.wait_until(|report| report.leaked_by(leak.pid()) == 6);
    leak.assert_reported_by(&report);

    leak.leaker.ask("close-all");
    tracer.wait_until(|report| report.leaks_of(leak.pid()).is_empty());
    let outcome = tracer.interrupt();

    assert_eq!(outcome.code, 0, "{outcome:?}");
    let findings = outcome.report().findings_of(leak.pid());
    assert_eq!(findings.len(), 1, "the retraction is shown: {outcome:?}");
    assert!(findings[0].is_retracted());
}

#[test]
fn sigterm_ends_a_run_with_a_last_report() {
    let leak = Leak::of(Kind::Undrained, 6);
    let mut tracer = Tracer::start(&format!("--pid {} --idle 2s -o json", leak.pid()));
    tracer.wait_until(|report| report.leaked_by(leak.pid()) == 6);

    let outcome = tracer.terminate();

    assert_eq!(outcome.code, 1, "{outcome:?}");
    leak.assert_reported_by(&outcome.report());
}

#[test]
fn two_tracers_do_not_disturb_each_other() {
    let mut leak = Leak::prepare(Kind::Undrained);
    let arguments = format!("--pid {} --idle 2s -o json", leak.pid());
    let mut tracers = [Tracer::start(&arguments), Tracer::start(&arguments)];
    for tracer in &mut tracers {
        tracer.wait_for_first_report();
    }

    leak.grow(7);

    for mut tracer in tracers {
        tracer.wait_until(|report| report.leaked_by(leak.pid()) == 7);
        leak.assert_reported_by(&tracer.interrupt().report());
    }
}

#[test]
fn connections_in_flight_between_processes_are_found_again() {
    let mut leak = Leak::of(Kind::Undrained, 5);
    let mut receiver = Puppet::start();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("passed");
    // With --pid, snapshots are fast on a host with many sockets too.
    let pids = format!("--pid {},{}", leak.pid(), receiver.pid());
    let mut tracer = Tracer::start(&format!("{pids} --idle 2s --interval 300ms -o json"));
    tracer.wait_until(|report| report.leaked_by(leak.pid()) == 5);

    receiver.expect_passed(&path);
    for &fd in &leak.fds {
        leak.leaker.put_in_flight(fd, &path);
        leak.leaker.close(&[fd]);
    }
    tracer.wait_until(|report| report.leaked_by(leak.pid()) == 0);
    let taken: BTreeSet<_> = leak.fds.iter().map(|_| receiver.take_passed()).collect();
    let report = tracer.wait_until(|report| report.leaked_by(receiver.pid()) == 5);

    assert_eq!(report.leak_of(receiver.pid()).fds(), taken);
}

#[test]
fn a_run_with_children_continues_after_the_named_process_has_ended() {
    let mut shell = Command::new("sh");
    shell.args(["-c", "\"$1\"; exit", "sh"]).arg(Puppet::executable());
    let mut leak = Leak::by(Puppet::start_by(&mut shell), Kind::Undrained, 5);
    let shell = parent_of(leak.pid());
    let options = "--idle 2s --interval 300ms -o json";
    let mut alone = Tracer::start(&format!("--pid {shell} {options}"));
    let mut tracer = Tracer::start(&format!("--pid {shell} --children {options}"));
    tracer.wait_until(|report| report.leaked_by(leak.pid()) == 5);
    alone.wait_for_first_report();

    let pid = libc::pid_t::try_from(shell).unwrap();
    // SAFETY: kill touches no memory; the shell has not been waited for, so the pid is its own.
    assert_eq!(unsafe { libc::kill(pid, libc::SIGKILL) }, 0);
    let ended = alone.finish();
    assert!(ended.report().note("target-processes-ended").is_some(), "{ended:?}");
    leak.grow(2);
    let report = tracer.wait_until(|report| report.leaked_by(leak.pid()) == 7);
    assert!(report.note("target-processes-ended").is_none(), "{report}");
    assert_eq!(report.member("coverage")["complete"], true, "{report}");

    leak.leaker.end();
    let ended = tracer.finish();
    assert!(ended.report().note("target-processes-ended").is_some(), "{ended:?}");
}

fn parent_of(pid: u32) -> u32 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let parent = status.lines().find_map(|line| line.strip_prefix("PPid:"));
    parent.unwrap().trim().parse().unwrap()
}
