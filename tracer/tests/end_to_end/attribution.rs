//! Which process owns a connection.

use std::collections::BTreeSet;

use crate::support::{Fd, Kind, Leak, Listener, Puppet, Tracer, lacks_ipv6, listed, one_by_one};

/// Opens connections whose 8 KiB responses stay unread.
fn leave_unread(client: &mut Puppet, server: &mut Puppet, listener: Listener) -> Vec<Fd> {
    let connect = format!("connect {} 1", listener.address);
    one_by_one(5, || leave_one_unread(client, &connect, server, listener))
}

/// Opens one by a command of the client.
fn leave_one_unread(
    client: &mut Puppet,
    connect: &str,
    server: &mut Puppet,
    listener: Listener,
) -> Fd {
    let opened = client.ask(connect);
    let accepted = server.accept(listener, 1);
    server.send(&accepted, 8192);
    client.await_unread(&opened, 8192);
    opened[0]
}

#[test]
fn a_connection_held_by_a_fork_too_has_two_owners_and_counts_once() {
    let mut leak = Leak::of(Kind::Undrained, 5);
    let child = leak.leaker.ask("fork")[0];

    let report = Tracer::run("audit --idle 2s -o json").report();

    let finding = report.leak_of(leak.pid());
    assert_eq!((finding.count(), finding.fds()), (5, leak.fds.clone()));
    for connection in finding.connections() {
        let fd = connection.fd();
        assert_eq!(connection.owners(), BTreeSet::from([(leak.pid(), fd), (child, fd)]));
    }
    assert!(report.findings_of(child).is_empty(), "{report}");
}

#[test]
fn a_connection_with_two_file_descriptors_counts_once() {
    let mut leak = Leak::of(Kind::Undrained, 5);
    let original = *leak.fds.first().unwrap();
    let copy = leak.leaker.ask(&format!("dup {original}"))[0];

    let report = Tracer::run(&format!("audit --pid {} --idle 2s -o json", leak.pid())).report();

    let finding = report.leak_of(leak.pid());
    assert_eq!(finding.count(), 5, "{report}");
    let both = BTreeSet::from([(leak.pid(), original), (leak.pid(), copy)]);
    assert!(finding.connections().iter().any(|connection| connection.owners() == both), "{report}");
}

#[test]
fn a_passed_connection_belongs_to_its_opener_and_then_to_its_receiver() {
    let mut leak = Leak::prepare(Kind::Undrained);
    let (opener_pid, mut receiver) = (leak.pid(), Puppet::start());
    let directory = tempfile::tempdir().unwrap();
    let mut tracer = Tracer::start("--idle 2s -o json");
    tracer.wait_for_first_report();
    leak.grow(5);
    let passed: BTreeSet<(Fd, Fd)> = (leak.fds.iter())
        .map(|&fd| (fd, leak.leaker.pass(fd, &mut receiver, directory.path())))
        .collect();

    let both = tracer.wait_until(|report| report.leaked_by(opener_pid) == 5).leak_of(opener_pid);
    for connection in both.connections() {
        let &(fd, copy) = passed.iter().find(|(fd, _)| *fd == connection.fd()).unwrap();
        assert_eq!(connection.owners(), BTreeSet::from([(opener_pid, fd), (receiver.pid(), copy)]));
    }

    let Leak { leaker: opener, peer: _peer, .. } = leak;
    opener.end();
    let report = tracer.wait_until(|report| report.leaked_by(receiver.pid()) == 5);
    let finding = report.leak_of(receiver.pid());
    assert_eq!(finding.fds(), passed.iter().map(|&(_, copy)| copy).collect());
    assert_eq!(report.leaked_by(opener_pid), 0, "{report}");
}

#[test]
fn a_thread_is_reported_as_its_process() {
    let (mut server, mut client) = (Puppet::start(), Puppet::start());
    let listener = server.listen();
    let mut tracer = Tracer::start(&format!("--pid {} --idle 2s -o json", client.pid()));
    tracer.wait_for_first_report();

    let connect = format!("thread-connect {} 1", listener.address);
    let opened = one_by_one(5, || leave_one_unread(&mut client, &connect, &mut server, listener));
    let report = tracer.wait_until(|report| report.leaked_by(client.pid()) == 5);

    let finding = report.leak_of(client.pid());
    assert_eq!(finding.text("comm"), "puppet");
    assert_eq!(finding.fds(), opened.into_iter().collect());
    for connection in finding.connections() {
        assert_eq!(connection.text("origin"), "traced");
    }
}

#[test]
fn ipv6_addresses_are_in_brackets() {
    if lacks_ipv6() {
        return;
    }
    let (mut server, mut client) = (Puppet::start(), Puppet::start());
    let listener = server.listen_on("[::1]:0");
    leave_unread(&mut client, &mut server, listener);

    let report = Tracer::run(&format!("audit --pid {} --idle 2s -o json", client.pid())).report();

    let finding = report.leak_of(client.pid());
    assert_eq!(finding.text("remote"), format!("[::1]:{}", listener.address.port()));
    assert_eq!(finding.connections()[0].text("remote"), finding.text("remote"));
    assert!(finding.connections()[0].text("local").starts_with("[::1]:"));
}

#[test]
fn ipv4_in_ipv6_is_ipv4_and_one_destination_with_it() {
    if lacks_ipv6() {
        return;
    }
    let (mut server, mut client) = (Puppet::start(), Puppet::start());
    let listener = server.listen();
    let port = listener.address.port();
    let mut addresses = ["127.0.0.1", "[::ffff:127.0.0.1]"].into_iter().cycle();
    let opened = one_by_one(6, || {
        let connect = format!("connect {}:{port} 1", addresses.next().unwrap());
        leave_one_unread(&mut client, &connect, &mut server, listener)
    });

    let report = Tracer::run(&format!("audit --pid {} --idle 2s -o json", client.pid())).report();

    let finding = report.leak_of(client.pid());
    assert_eq!((finding.count(), finding.fds()), (6, opened.into_iter().collect()));
    for connection in finding.connections() {
        assert_eq!(connection.text("remote"), format!("127.0.0.1:{port}"));
        assert!(connection.text("local").starts_with("127.0.0.1:"), "{report}");
    }
}

#[test]
fn a_connection_within_the_host_appears_once_on_each_side() {
    let (mut server, mut client) = (Puppet::start(), Puppet::start());
    let listener = server.listen();
    let opened = client.connect(listener, 1);
    let accepted = server.accept(listener, 1);

    let pids = format!("{},{}", server.pid(), client.pid());
    let rows = Tracer::run(&format!("audit --pid {pids} --for 0s --all -o csv")).rows();

    let (ours, theirs) = (rows.of(client.pid()), rows.of(server.pid()));
    assert_eq!((ours.len(), theirs.len()), (1, 1));
    let (ours, theirs) = (ours[0], theirs[0]);
    assert_eq!((&*ours["DIRECTION"], &*theirs["DIRECTION"]), ("outbound", "inbound"));
    assert_eq!((&*ours["FD"], &*theirs["FD"]), (&*listed(&opened), &*listed(&accepted)));
    assert_eq!(ours["RPORT"], listener.address.port().to_string());
    assert_eq!((&ours["LPORT"], &ours["RPORT"]), (&theirs["RPORT"], &theirs["LPORT"]));
    assert_ne!(ours["CONN_ID"], theirs["CONN_ID"]);
}

#[test]
fn direction_is_known_from_having_seen_the_open() {
    let (mut server, mut client) = (Puppet::start(), Puppet::start());
    let listener = server.listen();
    let pids = format!("{},{}", server.pid(), client.pid());
    let directory = tempfile::tempdir().unwrap();
    let csv = directory.path().join("all.csv");
    let mut tracer = Tracer::start(&format!("--pid {pids} --all -o json --csv {}", csv.display()));
    tracer.wait_for_first_report();

    client.connect(listener, 2);
    server.accept(listener, 2);
    tracer.wait_until(|report| {
        report.connections_of(client.pid()).len() == 2
            && report.connections_of(server.pid()).len() == 2
    });
    tracer.interrupt();

    let rows = crate::support::Rows::parse(&std::fs::read(csv).unwrap());
    assert!(rows.of(client.pid()).iter().all(|row| row["DIRECTION"] == "outbound"));
    assert!(rows.of(server.pid()).iter().all(|row| row["DIRECTION"] == "inbound"));
    assert!(rows.of(client.pid()).len() >= 2 && rows.of(server.pid()).len() >= 2);
}

#[test]
fn ipv4_clients_of_an_ipv6_server_are_ipv4() {
    if lacks_ipv6() {
        return;
    }
    let (mut server, mut client) = (Puppet::start(), Puppet::start());
    let listener = server.listen_on("[::]:0");
    let port = listener.address.port();
    let accepted = one_by_one(5, || {
        let opened = client.ask(&format!("connect 127.0.0.1:{port} 1"));
        let accepted = server.accept(listener, 1);
        client.send(&opened, 100);
        server.await_unread(&accepted, 100);
        accepted[0]
    });

    let report = Tracer::run(&format!("audit --pid {} --idle 2s -o json", server.pid())).report();

    let finding = report.leak_of(server.pid());
    assert_eq!(finding.text("verdict"), "never-read");
    assert_eq!(finding.fds(), accepted.into_iter().collect());
    for connection in finding.connections() {
        assert_eq!(connection.text("local"), format!("127.0.0.1:{port}"));
        assert!(connection.text("remote").starts_with("127.0.0.1:"), "{report}");
    }
}
