//! Sockets that are not connected, and named processes without sockets.

use std::{format, vec::Vec};

use super::{timeline::Player, world::process};
use crate::{Comm, Coverage, Input, Note, Options, Selection, TcpState};

/// After a snapshot of processes that have so many sockets that are not connected, and three
/// connections each.
fn player(not_connected: &[(u32, u64)], options: Options) -> Player {
    let mut player = Player::new(options);
    for (pid, count) in not_connected {
        player.play_all(&format!("0s open a{pid}x1..a{pid}x3 pid={pid}"));
        if *count > 0 {
            player.play_all(&format!("0s open b{pid}x1..b{pid}x{count} pid={pid}"));
        }
    }
    let refused = player.world.sockets.iter_mut().filter(|(name, _)| name.starts_with('b'));
    for (_, facts) in refused {
        facts.state = TcpState::Closed;
        (facts.last_sent_at, facts.last_received_at, facts.last_read_at) = (None, None, None);
        facts.remote.set_port(0);
    }
    player.play_all("200s snapshot");
    player
}

fn coverage(not_connected: &[(u32, u64)], options: Options) -> Coverage {
    let report = player(not_connected, options).detector.report();
    assert!(report.findings.iter().all(|finding| finding.count <= 3), "{report:?}");
    report.coverage
}

fn note(pid: u32, fds: u64, other_processes: u64, other_fds: u64) -> Note {
    let comm = Comm(format!("p{pid}").as_str().into());
    Note::NotConnected { process: process(pid), comm, fds, other_processes, other_fds }
}

#[test]
fn many_in_one_process_are_mentioned() {
    let of = |not_connected: &[(u32, u64)]| {
        let coverage = coverage(not_connected, Options::default());
        assert!(coverage.complete, "they are seen");
        (coverage.fds_not_connected, coverage.notes)
    };
    assert_eq!(of(&[(10, 0)]), (0, Vec::new()));
    assert_eq!(of(&[(10, 10), (11, 10)]), (20, Vec::new()), "as many as a pool keeps");
    assert_eq!(of(&[(10, 11)]), (11, Vec::from([note(10, 11, 0, 0)])));
    assert_eq!(of(&[(10, 12), (11, 300), (12, 2), (13, 11)]), (325, [note(11, 300, 2, 23)].into()));
    assert_eq!(of(&[(10, 11), (11, 11)]), (22, [note(10, 11, 1, 11)].into()), "the older one");
}

#[test]
fn how_many_are_many_is_an_option() {
    let options = Options { pool_size: 400, ..Options::default() };
    let coverage = coverage(&[(10, 300)], options);
    assert_eq!((coverage.fds_not_connected, coverage.notes), (300, Vec::new()));
}

#[test]
fn they_count_until_they_are_closed() {
    let mut player = player(&[(10, 20)], Options { scoped: true, ..Options::default() });
    let [process] = &player.detector.report().processes[..] else { panic!() };
    assert_eq!((process.tcp_fds, process.fds_not_connected), (23, 20));
    player.play_all("201s close b10x1..b10x15\n202s snapshot");
    let report = player.detector.report();
    assert_eq!((report.processes[0].tcp_fds, report.processes[0].fds_not_connected), (8, 5));
    assert_eq!((report.coverage.fds_not_connected, report.coverage.notes), (5, Vec::new()));
}

/// The state that a dead connection and a listener whose socket was shut down also have.
#[test]
fn dead_connections_and_those_being_opened_do_not_count() {
    let mut player = Player::new(Options::default());
    player.play_all("0s open a1..a20 pid=10\n1s open b1..b20 pid=11\n9s peer-resets a1..a20");
    for (_, facts) in player.world.sockets.iter_mut().filter(|(name, _)| name.starts_with('b')) {
        facts.state = TcpState::SynSent;
        facts.last_received_at = None;
    }
    player.play_all("10s snapshot");
    let coverage = player.detector.report().coverage;
    assert_eq!((coverage.fds_not_connected, coverage.notes), (0, Vec::new()));
}

#[test]
fn a_note_about_descendants_is_dropped_once_the_process_has_sockets() {
    let mut player = Player::new(Options { scoped: true, ..Options::default() });
    let comm = |pid: u32| Comm(format!("p{pid}").as_str().into());
    let note = |pid| Note::DescendantsNotObserved {
        process: process(pid),
        comm: comm(pid),
        descendants: 3,
    };
    for pid in [10, 11] {
        player.detector.handle(Input::Note(note(pid)));
    }
    let notes = |player: &Player| player.detector.report().coverage.notes;
    player.play_all("0s open b1 pid=12\n1s snapshot");
    assert_eq!(notes(&player), [note(10), note(11)]);
    player.play_all("2s open a1 pid=11\n3s snapshot");
    assert_eq!(notes(&player), [note(10)]);
    player.play_all("4s close a1\n6s snapshot\n8s snapshot");
    assert_eq!(notes(&player), [note(10)], "it has had sockets");
}

#[test]
fn the_selection_and_the_processes_in_scope_are_reported() {
    let mut player = player(&[(11, 0), (10, 2)], Options::default());
    assert_eq!(player.detector.report().coverage.selection, None);
    let selection = Selection { pids: [10, 11].into(), children: true, ..Selection::default() };
    player.detector.handle(Input::Selection(selection.clone()));
    let coverage = player.detector.report().coverage;
    assert_eq!(coverage.selection, Some(selection));
    let observed = coverage.observed.iter().map(|it| (it.key.pid, it.comm.0.as_str()));
    assert_eq!(observed.collect::<Vec<_>>(), [(10, "p10"), (11, "p11")]);
}
