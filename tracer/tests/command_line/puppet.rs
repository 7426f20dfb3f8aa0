//! Tests of the puppet, on which the end-to-end tests rely.

use std::fs;

use crate::support::{Puppet, lacks_ipv6, listed};

/// The link of a file descriptor in `/proc`: `socket:[N]`.
fn link(pid: u32, fd: u32) -> Option<String> {
    let target = fs::read_link(format!("/proc/{pid}/fd/{fd}")).ok()?;
    Some(target.display().to_string())
}

#[test]
fn connections_are_opened_accepted_and_used() {
    let (mut server, mut client) = (Puppet::start(), Puppet::start());
    let listener = server.listen();

    let opened = client.connect(listener, 3);
    let accepted = server.accept(listener, 3);
    server.send(&accepted, 10_000);
    client.await_unread(&opened, 10_000);
    client.receive(&opened, 10_000);
    server.close(&accepted);
    client.await_state(&opened, "CLOSE_WAIT");

    assert_eq!(opened.len(), 3);
    for fd in opened {
        assert!(link(client.pid(), fd).unwrap().starts_with("socket:"));
    }
}

#[test]
fn file_descriptors_are_closed() {
    let mut puppet = Puppet::start();
    let listener = puppet.listen();
    let fds = puppet.connect(listener, 2);
    let accepted = puppet.accept(listener, 2);

    puppet.close(&fds[..1]);
    puppet.ask(&format!("reset {}", listed(&accepted[1..])));
    puppet.await_state(&fds[1..], "CLOSE");
    assert_eq!(link(puppet.pid(), fds[0]), None);

    puppet.ask("close-all");
    assert_eq!(link(puppet.pid(), fds[1]), None);
}

#[test]
fn a_failed_command_returns_the_reason() {
    let mut puppet = Puppet::start();

    assert_eq!(puppet.try_ask("dance").unwrap_err(), "not a command: dance");
    let unknown = puppet.try_ask("close 99").unwrap_err();
    assert_eq!(unknown, "file descriptor 99 is no listener of this puppet");
    let listener = puppet.listen();
    puppet.close(&[listener.fd]);
    let refused = puppet.try_ask(&format!("connect {} 1", listener.address)).unwrap_err();
    assert!(refused.contains("refused"), "{refused}");
}

#[test]
fn a_fork_holds_the_same_sockets_until_it_is_killed() {
    let mut puppet = Puppet::start();
    let listener = puppet.listen();
    let child = puppet.ask("fork")[0];

    let of_child = link(child, listener.fd);
    assert!(of_child.is_some());
    assert_eq!(of_child, link(puppet.pid(), listener.fd));

    puppet.ask(&format!("kill-child {child}"));
    assert_eq!(link(child, listener.fd), None);
}

#[test]
fn a_passed_socket_is_the_same_one() {
    let (mut sender, mut receiver) = (Puppet::start(), Puppet::start());
    let directory = tempfile::tempdir().unwrap();
    let listener = sender.listen();
    let fd = sender.connect(listener, 1)[0];

    let passed = sender.pass(fd, &mut receiver, directory.path());

    let of_receiver = link(receiver.pid(), passed);
    assert!(of_receiver.is_some());
    assert_eq!(of_receiver, link(sender.pid(), fd));
}

#[test]
fn a_thread_connects_and_the_process_is_renamed() {
    let mut puppet = Puppet::start();
    let listener = puppet.listen();

    let fds = puppet.ask(&format!("thread-connect {} 2", listener.address));
    puppet.ask("comm 3d310a");

    assert_eq!(puppet.accept(listener, 2).len(), fds.len());
    assert_eq!(fs::read(format!("/proc/{}/comm", puppet.pid())).unwrap(), b"=1\n\n");
}

#[test]
fn many_short_connections() {
    let (mut server, mut client) = (Puppet::start(), Puppet::start());
    let listener = server.listen();
    server.ask(&format!("accept-and-close {}", listener.fd));

    client.ask(&format!("churn {} 100", listener.address));
}

#[test]
fn ipv6_and_ipv4_mapped_addresses() {
    if lacks_ipv6() {
        return;
    }
    let mut puppet = Puppet::start();
    let v4 = puppet.listen();
    let v6 = puppet.listen_on("[::1]:0");

    puppet.connect(v6, 1);
    puppet.ask(&format!("connect [::ffff:127.0.0.1]:{} 1", v4.address.port()));

    puppet.accept(v6, 1);
    puppet.accept(v4, 1);
}
