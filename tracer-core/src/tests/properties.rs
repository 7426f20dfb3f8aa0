//! Properties that hold for every history.

use std::{format, net::SocketAddr, string::String, vec::Vec};

use proptest::prelude::*;

use super::world::{World, process};
use crate::{
    CallSite, ConnectionId, Detector, Direction, HttpConnection, HttpStage, Input, Options,
    ProcessFacts, Question, Reachability, Reader, ReaderFacts, Readers, Report, StackId, Timestamp,
    Verdict,
};

/// One event on one of a few sockets.
#[derive(Clone, Debug)]
pub(super) enum Action {
    Open { name: u8, pid: u8, inbound: bool, remote: u8 },
    Receive { name: u8, bytes: u16 },
    Read { name: u8 },
    Send { name: u8 },
    PeerCloses { name: u8 },
    PeerResets { name: u8 },
    Close { name: u8 },
    HandOut { name: u8, stack: u8, stream: Option<u8>, held: u16 },
    GiveBack { name: u8, stream: Option<u8> },
    Exec { pid: u8 },
    LosePage { pid: u8, is_lost: bool },
    Name { pid: u8, stack: u8, is_known: bool },
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
        4 => Just(Action::Snapshot),
        8 => ledger_action(),
    ]
}

/// What Go programs do with responses, and how it is reported.
fn ledger_action() -> impl Strategy<Value = Action> {
    // Few names, so that many actions concern each.
    let (name, pid, stack) = (0_u8..4, 1_u8..4, 0_u8..4);
    let stream = proptest::option::of(0_u8..3);
    prop_oneof![
        9 => (name.clone(), stack.clone(), stream.clone(), 0_u16..3)
            .prop_map(|(name, stack, stream, held)| Action::HandOut { name, stack, stream, held }),
        1 => (name, stream).prop_map(|(name, stream)| Action::GiveBack { name, stream }),
        2 => (pid.clone(), any::<bool>())
            .prop_map(|(pid, is_lost)| Action::LosePage { pid, is_lost }),
        2 => (pid.clone(), stack, any::<bool>())
            .prop_map(|(pid, stack, is_known)| Action::Name { pid, stack, is_known }),
        1 => pid.prop_map(|pid| Action::Exec { pid }),
    ]
}

/// Actions with the milliseconds that pass before each.
pub(super) fn history() -> impl Strategy<Value = Vec<(u32, Action)>> {
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
        Action::HandOut { name: number, stack, stream, held } => {
            let stack = (*stack > 0).then(|| StackId((*stack).into()));
            world.start_response(&name(number), None, stack, stream.map(u32::from), (*held).into());
        }
        Action::GiveBack { name: number, stream } => {
            world.return_response(&name(number), stream.map(u32::from));
        }
        Action::Exec { pid } => world.ledgers.forget((*pid).into()),
        Action::LosePage { pid, is_lost } => {
            let unread = &mut world.ledgers.unread;
            if *is_lost {
                unread.insert((*pid).into())
            } else {
                unread.remove(&(*pid).into())
            };
        }
        Action::Name { pid, stack, is_known } => world.outbox.push(Input::CallSite(CallSite {
            process: process((*pid).into()),
            stack: StackId((*stack).into()),
            location: is_known.then(|| format!("main.f{stack} a.go:{stack}")),
            reason: None,
        })),
        Action::Snapshot => {
            let snapshot = world.snapshot();
            world.outbox.push(snapshot);
            world.outbox.extend((1..4).map(|pid| Input::Process(facts(pid))));
            let ledgers = world.ledgers(IDLE_MS);
            world.outbox.extend(ledgers);
            world.outbox.push(Input::Tick(world.now));
        }
    }
}

/// A process that is not stopped, so that its connections are judged.
pub(super) fn facts(pid: u32) -> ProcessFacts {
    ProcessFacts {
        key: process(pid),
        exe: None,
        cmdline: None,
        script: None,
        uid: None,
        container: None,
        inner_pid: None,
        open_fds: None,
        fd_limit: None,
        stopped: false,
        has_executed: None,
    }
}

/// The inputs of a history, and the world at its end.
pub(super) fn play(history: &[(u32, Action)], lost: &[bool]) -> (World, Vec<Input>) {
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

/// Low thresholds, so that there are many findings.
pub(super) fn options() -> Options {
    Options { all: true, idle_ms: IDLE_MS, count_min: 2, ..Options::default() }
}

const IDLE_MS: u64 = 20_000;

fn detect(inputs: impl IntoIterator<Item = Input>) -> Detector {
    let mut detector = Detector::new(options());
    for input in inputs {
        handle(&mut detector, input);
    }
    detector
}

/// Answers the questions about readers before each judgment.
fn handle(detector: &mut Detector, input: Input) {
    if let Input::Tick(at) = input {
        let questions = detector.questions(at);
        answer(detector, questions, at);
    }
    detector.handle(input);
}

fn answer(detector: &mut Detector, questions: Vec<Question>, at: Timestamp) {
    for question in questions {
        if let Question::Readers(process, asked) = question {
            let found = asked.iter().filter_map(|asked| reader(asked.id)).collect();
            let (goroutines, limits) = (None, Vec::new());
            detector.handle(Input::Readers(Readers { process, at, found, goroutines, limits }));
        }
    }
    detector.handle(Input::Unanswered(0));
}

/// Some connections have an unknown reader, some have one, and others are confirmed to have none.
pub(super) fn reader(id: ConnectionId) -> Option<ReaderFacts> {
    let reader = match id.0 % 4 {
        0 => return None,
        1 => Reader::Goroutine,
        _ => Reader::None,
    };
    let reachability = match id.0 % 8 {
        2 => Reachability::Held(None),
        3 => Reachability::Unknown,
        _ => Reachability::Dropped,
    };
    let stage = HttpStage::AwaitingBody;
    let http = Some(HttpConnection { stage, transport: 1, request: None, reachability });
    Some(ReaderFacts { id, reader, is_registered: true, http })
}

/// The sockets that a report lists, flagged or not, with the fields that do not depend on events.
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
    // An HTTP/2 connection is in the finding of each call site.
    table.dedup();
    table
}

proptest! {
    /// Regardless of which events were lost, the table after the next snapshot is the same as
    /// without loss, and the report is complete again.
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

    /// The table after a snapshot equals the world.
    #[test]
    fn a_report_lists_each_open_socket_once(history in history()) {
        let history = [&history[..], &[(0, Action::Snapshot)]].concat();
        let (world, inputs) = play(&history, &[]);
        let report = detect(inputs).report();
        prop_assert_eq!(table(&report).len(), world.sockets.len());
    }

    /// When everything is closed, every finding is retracted.
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

    /// Each verdict that was assigned is active or was retracted, and each one that was retracted
    /// had been assigned.
    #[test]
    fn changes_add_up_to_the_report(history in history()) {
        let history = [&history[..], &[(0, Action::Snapshot)]].concat();
        let mut detector = detect(play(&history, &[]).1);
        let mut active = std::collections::BTreeMap::new();
        for change in detector.take_changes() {
            match change.kind {
                crate::ChangeKind::Flagged => {
                    active.insert(change.connection.id, change.flag.verdict);
                }
                _ => prop_assert!(active.remove(&change.connection.id).is_some()),
            }
        }
        let report = detector.report();
        let findings = report.findings.iter();
        let reported: std::collections::BTreeMap<_, _> = findings
            .flat_map(|finding| finding.connections.iter().map(|one| (one.id, finding.verdict)))
            .collect();
        prop_assert_eq!(active, reported);
    }

    /// A connection has one verdict. An HTTP/2 connection may be in several findings, each with a
    /// different call site.
    #[test]
    fn no_connection_has_two_verdicts(history in history()) {
        let history = [&history[..], &[(60_000, Action::Snapshot)]].concat();
        let report = detect(play(&history, &[]).1).report();
        let mut places = std::collections::BTreeSet::new();
        let mut verdicts = std::collections::BTreeMap::new();
        for finding in &report.findings {
            for connection in &finding.connections {
                let before = verdicts.insert(connection.id, finding.verdict);
                prop_assert!(before.is_none_or(|before| before == finding.verdict));
                prop_assert!(before.is_none_or(|before| before == Verdict::BodyNotClosed));
                prop_assert!(places.insert((connection.id, finding.call_site.clone())));
            }
        }
    }

    /// A call site is known, or there is a reason why it is not.
    #[test]
    fn each_unknown_call_site_has_a_reason(history in history()) {
        let history = [&history[..], &[(60_000, Action::Snapshot)]].concat();
        let report = detect(play(&history, &[]).1).report();
        for finding in report.findings.iter().filter(|it| it.retracted_at.is_none()) {
            prop_assert_eq!(finding.call_site.is_none(), finding.call_site_reason.is_some());
        }
        let flagged = report.findings.iter().flat_map(|finding| &finding.connections);
        for connection in flagged.chain(&report.unflagged) {
            prop_assert_eq!(connection.call_site.is_none(), connection.call_site_reason.is_some());
        }
    }

    /// Unchanged connections are not evaluated again, and the results are the same.
    #[test]
    fn what_is_kept_of_unchanged_connections_is_what_would_be_found_again(history in history()) {
        let end = [(0, Action::Snapshot), (9_999, Action::Snapshot), (9_999, Action::Snapshot)];
        let history = [&history[..], &end].concat();
        let (mut kept, mut anew) = (Detector::new(options()), Detector::new(options()));
        for input in play(&history, &[]).1 {
            anew.table.forget_what_is_unchanged();
            let mut not_identified = Vec::new();
            if let Input::Tick(at) = input {
                let (asked, asked_anew) = (kept.questions(at), anew.questions(at));
                // A process that is claimed in vain is not identified again while nothing changes.
                let (known, more): (Vec<_>, _) =
                    asked_anew.iter().cloned().partition(|question| asked.contains(question));
                prop_assert_eq!(&known, &asked);
                for question in more {
                    let Question::Process(process) = question else { panic!("{question:?}") };
                    not_identified.push(process);
                }
                answer(&mut kept, asked, at);
                answer(&mut anew, asked_anew, at);
                anew.table.forget_what_is_unchanged();
            }
            kept.handle(input.clone());
            anew.handle(input);
            prop_assert_eq!(kept.report(), anew.report());
            prop_assert_eq!(kept.take_changes(), anew.take_changes());
            for finding in kept.report().findings {
                prop_assert!(
                    finding.retracted_at.is_some() || !not_identified.contains(&finding.process)
                );
            }
        }
    }

    /// Events may arrive in a batch or one by one, with or without reports and questions in
    /// between: the findings at the end are the same.
    #[test]
    fn reports_and_questions_do_not_disturb(history in history(), extra in any::<u64>()) {
        let history = [&history[..], &[(0, Action::Snapshot)]].concat();
        let inputs = play(&history, &[]).1;
        let mut seldom = detect(inputs.clone());
        let mut often = Detector::new(options());
        let mut now = None;
        for (index, input) in inputs.into_iter().enumerate() {
            now = match &input {
                Input::Tick(at) => Some(*at),
                Input::Event(event) => Some(event.at),
                _ => now,
            };
            handle(&mut often, input);
            if let Some(now) = now.filter(|_| extra >> (index % 64) & 1 == 1) {
                let _ = often.report();
                let _ = often.questions(now);
                often.handle(Input::Unanswered(0));
            }
        }
        prop_assert_eq!(seldom.report(), often.report());
        prop_assert_eq!(seldom.take_changes(), often.take_changes());
    }
}
