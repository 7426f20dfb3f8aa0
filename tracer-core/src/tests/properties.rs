//! What holds for every history.

use std::{format, net::SocketAddr, string::String, vec::Vec};

use proptest::prelude::*;

use super::world::World;
use crate::{Detector, Direction, Input, Options, Report, Timestamp};

/// One thing that happens to one of a few sockets.
#[derive(Clone, Debug)]
enum Action {
    Open { name: u8, pid: u8, inbound: bool, remote: u8 },
    Receive { name: u8, bytes: u16 },
    Read { name: u8 },
    Send { name: u8 },
    PeerCloses { name: u8 },
    PeerResets { name: u8 },
    Close { name: u8 },
    Snapshot,
}

fn action() -> impl Strategy<Value = Action> {
    let name = 0_u8..24;
    prop_oneof![
        4 => (name.clone(), 1_u8..4, any::<bool>(), 0_u8..2)
            .prop_map(|(name, pid, inbound, remote)| Action::Open { name, pid, inbound, remote }),
        3 => (name.clone(), 1_u16..9_000)
            .prop_map(|(name, bytes)| Action::Receive { name, bytes }),
        1 => name.clone().prop_map(|name| Action::Read { name }),
        1 => name.clone().prop_map(|name| Action::Send { name }),
        2 => name.clone().prop_map(|name| Action::PeerCloses { name }),
        2 => name.clone().prop_map(|name| Action::PeerResets { name }),
        2 => name.prop_map(|name| Action::Close { name }),
        2 => Just(Action::Snapshot),
    ]
}

/// Actions with the milliseconds that pass before each.
fn history() -> impl Strategy<Value = Vec<(u32, Action)>> {
    proptest::collection::vec((0_u32..30_000, action()), 0..120)
}

fn act(world: &mut World, action: &Action) {
    let name = |name: &u8| format!("s{name}");
    match action {
        Action::Open { name: number, pid, inbound, remote } => {
            let direction = if *inbound { Direction::Inbound } else { Direction::Outbound };
            let remote = SocketAddr::new([10, 0, 0, *remote].into(), 443);
            world.close(&name(number));
            world.open(&name(number), u32::from(*pid), direction, remote);
        }
        Action::Receive { name: number, bytes } => world.receive(&name(number), (*bytes).into()),
        Action::Read { name: number } => world.read(&name(number)),
        Action::Send { name: number } => world.send(&name(number), 10),
        Action::PeerCloses { name: number } => world.peer_closes(&name(number)),
        Action::PeerResets { name: number } => world.peer_resets(&name(number)),
        Action::Close { name: number } => world.close(&name(number)),
        Action::Snapshot => {
            let snapshot = world.snapshot();
            world.outbox.push(snapshot);
            world.outbox.push(Input::Tick(world.now));
        }
    }
}

/// The inputs that a history gives, with the world at its end.
fn play(history: &[(u32, Action)], lost: &[bool]) -> (World, Vec<Input>) {
    let mut world = World::default();
    world.now = Timestamp::from_ms(100 * 86_400_000);
    for (index, (wait_ms, action)) in history.iter().enumerate() {
        world.now = Timestamp::from_ns(world.now.as_ns() + u64::from(*wait_ms) * 1_000_000);
        world.losing = lost.get(index).copied().unwrap_or(false);
        act(&mut world, action);
    }
    let inputs = core::mem::take(&mut world.outbox);
    (world, inputs)
}

fn detect(inputs: impl IntoIterator<Item = Input>) -> Detector {
    let mut detector = Detector::new(Options { all: true, ..Options::default() });
    for input in inputs {
        detector.handle(input);
    }
    detector
}

/// The sockets that a report lists, flagged or not, with what is the same whoever saw them.
fn table(report: &Report) -> Vec<String> {
    let flagged = report.findings.iter().flat_map(|finding| &finding.connections);
    let mut table: Vec<String> = flagged
        .chain(&report.unflagged)
        .map(|connection| {
            let pid = connection.owners[0].key.pid;
            let crate::Connection { id, state, remote, direction, unread_bytes, .. } = connection;
            format!("{id} {pid} {state} {remote} {direction} {unread_bytes}")
        })
        .collect();
    table.sort();
    table
}

proptest! {
    /// Whatever was lost, the next snapshot gives the table that there would have been; and a
    /// loss is no longer called one.
    #[test]
    fn loss_and_then_a_snapshot_is_the_table_without_loss(
        history in history(),
        lost in proptest::collection::vec(any::<bool>(), 120),
    ) {
        let end = [(1_000, Action::Snapshot), (1_000, Action::Snapshot)];
        let history = [&history[..], &end].concat();
        let whole = detect(play(&history, &[]).1).report();
        let holed = detect(play(&history, &lost[..history.len() - 2]).1).report();
        prop_assert_eq!(table(&whole), table(&holed));
        prop_assert!(holed.coverage.complete);
    }

    /// The table after a snapshot is the world.
    #[test]
    fn a_report_lists_each_open_socket_once(history in history()) {
        let history = [&history[..], &[(0, Action::Snapshot)]].concat();
        let (world, inputs) = play(&history, &[]);
        let report = detect(inputs).report();
        prop_assert_eq!(table(&report).len(), world.sockets.len());
    }

    /// Everything closed: nothing found, though what was found before may be listed as taken back.
    #[test]
    fn every_socket_closed_leaves_no_finding(history in history(), lost in any::<bool>()) {
        let (mut world, mut inputs) = play(&history, &[]);
        world.losing = lost;
        let names: Vec<String> = world.sockets.keys().cloned().collect();
        for name in &names {
            world.close(name);
        }
        for _ in 0..2 {
            world.now = Timestamp::from_ns(world.now.as_ns() + 1_000_000_000);
            act(&mut world, &Action::Snapshot);
        }
        inputs.append(&mut world.outbox);
        let report = detect(inputs).report();
        prop_assert!(report.findings.iter().all(|finding| finding.retracted_at.is_some()));
        prop_assert_eq!(report.unflagged.len(), 0);
    }

    /// Each verdict that was given is standing or was taken back, and each one that was taken
    /// back had been given.
    #[test]
    fn changes_add_up_to_the_report(history in history()) {
        let history = [&history[..], &[(0, Action::Snapshot)]].concat();
        let mut detector = detect(play(&history, &[]).1);
        let mut standing = std::collections::BTreeMap::new();
        for change in detector.take_changes() {
            match change.kind {
                crate::ChangeKind::Flagged => {
                    standing.insert(change.connection.id, change.flag.verdict);
                }
                _ => prop_assert!(standing.remove(&change.connection.id).is_some()),
            }
        }
        let report = detector.report();
        let findings = report.findings.iter();
        let reported: std::collections::BTreeMap<_, _> = findings
            .flat_map(|finding| finding.connections.iter().map(|one| (one.id, finding.verdict)))
            .collect();
        prop_assert_eq!(standing, reported);
    }

    /// Events may arrive in one heap or one by one, with judgements in between or without: what is
    /// found at the end is the same.
    #[test]
    fn reports_and_questions_do_not_disturb(history in history(), extra in any::<u64>()) {
        let history = [&history[..], &[(0, Action::Snapshot)]].concat();
        let inputs = play(&history, &[]).1;
        let mut seldom = detect(inputs.clone());
        let mut often = Detector::new(Options { all: true, ..Options::default() });
        let mut now = None;
        for (index, input) in inputs.into_iter().enumerate() {
            now = match &input {
                Input::Tick(at) => Some(*at),
                Input::Event(event) => Some(event.at),
                _ => now,
            };
            often.handle(input);
            if let Some(now) = now.filter(|_| extra >> (index % 64) & 1 == 1) {
                let _ = often.report();
                let _ = often.questions(now);
            }
        }
        prop_assert_eq!(seldom.report(), often.report());
        prop_assert_eq!(seldom.take_changes(), often.take_changes());
    }
}
