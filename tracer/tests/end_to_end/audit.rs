//! Audits of sockets that were open before.

use std::{thread, time::Duration};

use crate::support::{Kind, Leak, Puppet, Tracer, leak_within, listed, one_by_one};

#[test]
fn all_processes_in_all_network_namespaces_are_seen() {
    let mut inside = Puppet::start_in_own_network();
    let unread = leak_within(&mut inside, 5);
    let outside = Leak::of(Kind::Undrained, 5);

    let report = Tracer::run("audit --idle 2s -o json").report();

    outside.assert_reported_by(&report);
    let finding = report.leak_of(inside.pid());
    assert_eq!(finding.fds(), unread.into_iter().collect());
    assert_eq!(finding.number("netns"), inside.network());
    assert_eq!(report.leak_of(outside.pid()).number("netns"), outside.leaker.network());
    assert_ne!(inside.network(), outside.leaker.network());
}

#[test]
fn idle_connections_with_nothing_unread_are_healthy() {
    let (mut server, mut client) = (Puppet::start(), Puppet::start());
    let listener = server.listen();
    let opened = client.connect(listener, 20);
    let accepted = server.accept(listener, 20);
    client.send(&opened, 100);
    server.receive(&accepted, 100);
    server.send(&accepted, 8192);
    client.receive(&opened, 8192);

    let pids = format!("{},{}", server.pid(), client.pid());
    let outcome = Tracer::run(&format!("audit --pid {pids} --idle 2s -o json"));

    assert_eq!(outcome.code, 0, "{outcome:?}");
    let report = outcome.report();
    assert!(report.leaks_of(client.pid()).is_empty(), "{report}");
    assert!(report.leaks_of(server.pid()).is_empty(), "{report}");
}

/// A process that has kept reading since a response began is a slow reader.
#[test]
fn slow_readers_are_not_leaks() {
    let (mut server, mut client) = (Puppet::start(), Puppet::start());
    let listener = server.listen();
    let opened = one_by_one(8, || {
        let opened = client.connect(listener, 1);
        let accepted = server.accept(listener, 1);
        client.send(&opened, 100);
        server.send(&accepted, 200_000);
        client.await_unread(&opened, 20_000);
        opened[0]
    });
    for pause_ms in [2_000, 500, 4_000] {
        thread::sleep(Duration::from_millis(pause_ms));
        for fd in &opened {
            client.receive(&[*fd], 40_000);
        }
    }
    thread::sleep(Duration::from_millis(2_500));

    let report = Tracer::run(&format!("audit --pid {} --idle 2s -o json", client.pid())).report();

    assert!(report.leaks_of(client.pid()).is_empty(), "{report}");
    let finding = &report.findings_of(client.pid())[0];
    assert_eq!((finding.text("verdict"), finding.count()), ("undrained", 8), "{report}");
    assert!(finding.has_caveat("partly-read"), "{report}");
}

#[test]
fn only_the_selected_processes_are_judged() {
    let asked_for = Leak::of(Kind::Undrained, 5);
    let other = Leak::of(Kind::Undrained, 5);

    let report =
        Tracer::run(&format!("audit --pid {} --idle 2s -o json", asked_for.pid())).report();

    asked_for.assert_reported_by(&report);
    assert!(report.findings_of(other.pid()).is_empty(), "{report}");
}

#[test]
fn a_stopped_process_is_not_flagged() {
    let leak = Leak::of(Kind::Undrained, 6);
    leak.leaker.stop();

    let outcome = Tracer::run(&format!("audit --pid {} --idle 2s -o json", leak.pid()));

    assert_eq!(outcome.code, 3, "{outcome:?}");
    let report = outcome.report();
    let findings = report.findings_of(leak.pid());
    assert_eq!(findings.len(), 1, "{report}");
    assert_eq!(findings[0].text("confidence"), "possible", "{report}");
    assert!(findings[0].has_caveat("process-stopped"), "{report}");
    assert!(report.note("processes-stopped").is_some(), "{report}");
}

/// A FIN that arrives with the last data is consumed with it, which is why pools keep stale
/// connections.
#[test]
fn an_audit_cannot_know_whether_a_fin_was_read() {
    let (mut server, mut client) = (Puppet::start(), Puppet::start());
    let listener = server.listen();
    one_by_one(6, || {
        let opened = client.connect(listener, 1);
        let accepted = server.accept(listener, 1);
        server.close(&accepted);
        client.ask(&format!("receive {} all", listed(&opened)));
    });

    let outcome = Tracer::run(&format!("audit --pid {} --idle 2s -o json", client.pid()));

    assert_eq!(outcome.code, 0, "{outcome:?}");
    let findings = outcome.report().findings_of(client.pid());
    assert_eq!(findings.len(), 1, "{outcome:?}");
    assert_eq!(findings[0].text("confidence"), "possible");
}

#[test]
fn a_process_that_reads_a_fin_and_does_not_close_leaks() {
    let (mut server, mut client) = (Puppet::start(), Puppet::start());
    let listener = server.listen();
    let command = format!("--pid {} --idle 2s --interval 200ms -o json", client.pid());
    let mut tracer = Tracer::start(&command);
    tracer.wait_for_first_report();
    let opened = one_by_one(6, || {
        let opened = client.connect(listener, 1);
        let accepted = server.accept(listener, 1);
        server.close(&accepted);
        // The second of two reports is based on a snapshot that showed the FIN unread.
        tracer.wait_for_next_report();
        tracer.wait_for_next_report();
        client.ask(&format!("receive {} all", listed(&opened)));
        opened[0]
    });
    tracer.wait_until(|report| report.leaked_by(client.pid()) == 6);
    let outcome = tracer.interrupt();

    assert_eq!(outcome.code, 1, "{outcome:?}");
    let finding = outcome.report().leak_of(client.pid());
    assert_eq!((finding.text("verdict"), finding.count()), ("close-wait", 6));
    assert_eq!(finding.fds(), opened.into_iter().collect());
}

#[test]
fn the_key_of_a_finding_is_the_same_for_another_process_of_the_same_name() {
    let mut leak = Leak::of(Kind::Undrained, 5);
    let key = |leak: &Leak| {
        let outcome = Tracer::run(&format!("audit --pid {} --idle 2s -o json", leak.pid()));
        outcome.report().leak_of(leak.pid()).text("key").to_owned()
    };
    let (first_pid, first) = (leak.pid(), key(&leak));

    leak.leaker = Puppet::start();
    leak.fds.clear();
    leak.grow(5);

    assert_ne!(leak.pid(), first_pid);
    assert_eq!(key(&leak), first);
    assert_eq!(first, format!("client-connection/outbound/127.0.0.1:{}/puppet", leak.port()));
}
