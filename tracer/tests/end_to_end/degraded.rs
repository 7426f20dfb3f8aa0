//! Runs without BPF programs: what is still found, and what the report says is missing.

use std::{os::unix::process::CommandExt as _, process::Command};

use crate::support::{Kind, Leak, NOBODY, Puppet, Tracer, found, leak_within, program_for_all};

/// sock_diag does not list dead sockets. When they died is unknown, so they may have died at the
/// same time.
#[test]
fn an_audit_shows_ghosts_and_their_remote_address() {
    let leak = Leak::of(Kind::Ghost, 23);

    let arguments = format!("audit --pid {} --idle 2s -o json --source sock-diag", leak.pid());
    let report = Tracer::run(&arguments).report();

    let findings = report.findings_of(leak.pid());
    assert_eq!(findings.len(), 1, "{report}");
    assert_eq!(findings[0].text("verdict"), "ghost");
    assert_eq!(findings[0].text("confidence"), "possible");
    assert_eq!(findings[0].fds(), leak.fds);
    assert_eq!(findings[0].text("remote"), format!("127.0.0.1:{}", leak.port()));
    let dead = findings[0].evidence("dead").expect("evidence of death");
    assert_eq!(dead["is_lower_bound"], true, "{report}");
    assert!(report.note("death-times-by-watching").is_some(), "{report}");
}

#[test]
fn all_network_namespaces_are_seen() {
    let (mut inside, unread) = leak_inside();
    let outside = Leak::of(Kind::Undrained, 5);

    let report = Tracer::run("audit --idle 2s -o json --source sock-diag").report();

    assert!(report.is_degraded(), "{report}");
    outside.assert_reported_by(&report);
    let finding = report.leak_of(inside.pid());
    assert_eq!(finding.fds(), unread.iter().copied().collect());
    assert_eq!(finding.number("netns"), inside.network());
    assert_eq!(report.leak_of(outside.pid()).number("netns"), outside.leaker.network());
    inside.close(&unread);
}

/// File descriptors are duplicated if the network namespace cannot be entered.
#[test]
fn network_namespaces_that_may_not_be_entered_are_seen() {
    let Some(setpriv) = found("setpriv", &["--version"]) else { return };
    let (inside, unread) = leak_inside();
    let mut command = Command::new(setpriv);
    command.arg("--bounding-set=-sys_admin,-bpf").arg(env!("CARGO_BIN_EXE_tracer"));
    command.args(["audit", "--idle", "2s", "-o", "json"]);

    let report = Tracer::spawn(command).finish().report();

    assert!(report.is_degraded(), "{report}");
    let finding = report.leak_of(inside.pid());
    assert_eq!(finding.fds(), unread.into_iter().collect());
    assert_eq!(finding.number("unread_bytes"), 5 * 8192);
    assert_eq!(finding.text("direction"), "outbound");
    assert_eq!(finding.number("netns"), inside.network());
}

#[test]
fn a_kernel_without_btf_is_supported() {
    let Some(unshare) = found("unshare", &["--version"]) else { return };
    let leak = Leak::of(Kind::CloseWait { unread: 300 }, 23);
    let mut command = Command::new(unshare);
    let hide = "mount -t tmpfs none /sys/kernel/btf && exec \"$@\"";
    command.args(["--mount", "sh", "-c", hide, "sh", env!("CARGO_BIN_EXE_tracer")]);
    command.args(["audit", "--idle", "2s", "-o", "json", "--pid", &leak.pid().to_string()]);

    let outcome = Tracer::spawn(command).finish();

    assert_eq!(outcome.code, 1, "{outcome:?}");
    let report = outcome.report();
    assert!(report.is_degraded(), "{report}");
    let reason = report.note("without-kernel-programs").expect("a note").to_string();
    assert!(reason.contains("CONFIG_DEBUG_INFO_BTF"), "{report}");
    leak.assert_reported_by(&report);
}

/// Connections in their own network namespace whose responses are not read.
fn leak_inside() -> (Puppet, Vec<u32>) {
    let mut inside = Puppet::start_in_own_network();
    let unread = leak_within(&mut inside, 5);
    (inside, unread)
}

#[test]
fn a_connection_held_by_a_fork_too_has_two_owners() {
    let mut leak = Leak::of(Kind::Undrained, 5);
    let child = leak.leaker.ask("fork")[0];

    let report = Tracer::run("audit --idle 2s -o json --source sock-diag").report();

    let finding = report.leak_of(leak.pid());
    assert_eq!((finding.count(), finding.fds()), (5, leak.fds.clone()));
    for connection in finding.connections() {
        let fd = connection.fd();
        assert_eq!(connection.owners(), [(leak.pid(), fd), (child, fd)].into());
    }
}

#[test]
fn kernel_programs_and_sock_diag_see_the_same() {
    let (mut server, mut client) = (Puppet::start(), Puppet::start());
    let listener = server.listen();
    let opened = client.connect(listener, 3);
    let accepted = server.accept(listener, 3);
    client.send(&opened, 100);
    server.receive(&accepted, 40);
    // A close with unread bytes would send a reset.
    server.receive(&accepted[..1], 60);
    server.send(&accepted[..1], 300);
    server.close(&accepted[..1]);
    client.await_state(&opened[..1], "CLOSE_WAIT");
    client.await_unread(&opened[..1], 300);

    let of = |source: &str| {
        let pids = [server.pid(), client.pid()];
        let options = "--for 0s --all --fail-on certain -o json";
        let arguments = format!("audit --pid {},{} {options} --source {source}", pids[0], pids[1]);
        let report = Tracer::run(&arguments).report();
        let mut seen = Vec::new();
        for connection in pids.iter().flat_map(|pid| report.connections_of(*pid)) {
            let words =
                ["id", "state", "local", "remote"].map(|name| connection.text(name).to_owned());
            let numbers = ["fd", "inode", "unread_bytes", "unsent_bytes", "rx_bytes", "tx_bytes"]
                .map(|name| connection.number(name));
            seen.push((words, numbers, connection.owners()));
        }
        seen.sort();
        seen
    };

    let by_kernel = of("kernel");
    assert_eq!(by_kernel.len(), 5, "{by_kernel:?}");
    assert_eq!(of("sock-diag"), by_kernel);
}

/// An audit of the whole host by the user `nobody`.
#[test]
fn without_privileges_processes_of_other_users_are_counted_as_unreadable() {
    let directory = tempfile::tempdir().unwrap();
    let mut command = Command::new(program_for_all(directory.path()));
    command.args(["audit", "--for", "0s", "-o", "json"]);
    become_nobody(&mut command);

    let outcome = Tracer::spawn(command).finish();

    assert!([1, 3].contains(&outcome.code), "{outcome:?}");
    let report = outcome.report();
    assert!(report.is_degraded(), "{report}");
    let reason = report.note("without-kernel-programs").expect("a note").to_string();
    assert!(reason.contains("CAP_BPF or CAP_PERFMON is missing"), "{report}");
    assert!(report.note("fds-unreadable").is_some(), "{report}");
    assert_eq!(report.member("coverage")["complete"], false, "{report}");
}

fn become_nobody(command: &mut Command) {
    // SAFETY: geteuid touches no memory.
    if unsafe { libc::geteuid() } == 0 {
        command.gid(NOBODY).uid(NOBODY);
    }
}
