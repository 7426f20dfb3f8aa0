//! The content of `v3-every-input.rec`, a recording of format 3 with every kind of entry: each
//! input, each variant of each type, and lists that change from one input to the next in every way.

use std::sync::Arc;

use tracer_core::{
    Actor, AttachState, CallSite, CallSiteReason, Comm, ConnectionId, Container, Event, EventKind,
    Goroutines, Holder, HolderKind, Hook, HostFacts, HttpConnection, HttpStage, HttpStream, Input,
    Ledger, Limit, Loss, NoAnswer, Note, OpenResponse, Owner, Probe, ProcessFacts, ProcessKey,
    Reachability, Reader, ReaderFacts, Readers, ResponseHolder, Selection, Snapshot, SocketFacts,
    StackId, Subject, TcpState, Timer, Timestamp,
};

use crate::recording::Step;

const CLIENT: ProcessKey = ProcessKey { start_time_ns: 70_000_000_000, pid: 4_101 };
const SERVER: ProcessKey = ProcessKey { start_time_ns: 65_432_109_876, pid: 977 };

/// Two rounds of everything. Repetitions in the second round are recorded in a shorter form.
pub(super) fn steps() -> Vec<Step> {
    let mut inputs = vec![Input::Host(host())];
    for round in 0..2 {
        inputs.extend(events(round).map(Input::Event));
        inputs.push(Input::Snapshot(snapshot(round)));
        inputs.extend(processes(round).map(Input::Process));
        inputs.push(Input::ProcessUnreadable(SERVER));
        inputs.push(Input::Readers(readers(round)));
        inputs.push(Input::Ledger(ledger(round)));
        inputs.extend(call_sites().map(Input::CallSite));
        inputs.push(Input::Unanswered(3 + round));
        inputs.push(Input::Note(Note::Recorded { text: "the process ended\n\u{7}".to_owned() }));
        inputs.push(Input::Loss(loss(round)));
        inputs.push(Input::Tick(at(1_000 + round)));
    }
    let asked = [Step::Asked(at(3_000)), Step::Reported];
    inputs.into_iter().map(Step::Input).chain(asked).collect()
}

/// The same, and the inputs that formats before 7 do not have.
pub(super) fn steps_of_format_7() -> Vec<Step> {
    let subjects = [
        (Subject::Process(CLIENT), NoAnswer::OutOfTime),
        (Subject::Readers(SERVER), NoAnswer::Failed),
        (Subject::CallSite(CLIENT, StackId(7)), NoAnswer::Ended),
    ];
    let unanswered = subjects.map(|(subject, reason)| Input::NoAnswer(subject, reason));
    steps().into_iter().chain(unanswered.map(Step::Input)).collect()
}

/// The same, and the inputs that formats before 8 do not have.
pub(super) fn steps_of_format_8() -> Vec<Step> {
    let of_file = Limit::FileNotLocal { filesystem: "fuse.sshfs".to_owned() };
    let ledger = Ledger { process: SERVER, at: at(9_000), open: Vec::new(), limits: vec![of_file] };
    let inputs = [
        Input::ResponsesAwaited(CLIENT),
        Input::NoAnswer(Subject::Responses(CLIENT), NoAnswer::Failed),
        Input::Ledger(ledger),
    ];
    steps_of_format_7().into_iter().chain(inputs.map(Step::Input)).collect()
}

/// The same, and what formats before 9 do not have.
pub(super) fn steps_of_format_9() -> Vec<Step> {
    let comm = || Comm("sh".into());
    let note = Note::DescendantsNotObserved { process: SERVER, comm: comm(), descendants: 12 };
    let selection = Selection {
        pids: vec![977, 4_101],
        children: true,
        comms: vec![comm()],
        cgroup: Some("/system.slice/api.service".to_owned()),
        container: Some("45ef".to_owned()),
        local_ports: vec![443],
        remote_ports: vec![5_432, 80],
        remotes: vec!["10.0.0.0/8".to_owned()],
    };
    let inputs =
        [Input::Note(note), Input::Selection(selection), Input::Selection(Selection::default())];
    steps_of_format_8().into_iter().chain(inputs.map(Step::Input)).collect()
}

/// The same, and what formats before 10 do not have.
pub(super) fn steps_of_format_10() -> Vec<Step> {
    let holder = |kind, name: Option<&str>| {
        let name = name.map(str::to_owned);
        Reachability::Held(Some(Box::new(ResponseHolder { kind, name })))
    };
    let reachable = [
        Reachability::Dropped,
        holder(HolderKind::Goroutine, Some("main.poll")),
        holder(HolderKind::Closure, Some("main.keep.func1")),
        holder(HolderKind::Channel, None),
        holder(HolderKind::Map, Some("map[string]*http.Response")),
        holder(HolderKind::Slice, None),
        holder(HolderKind::Timer, None),
        holder(HolderKind::Global, Some("main.kept")),
        holder(HolderKind::Object, Some("main.watcher")),
        Reachability::Held(None),
        Reachability::Unknown,
        Reachability::NotOnStack,
    ];
    let found = (1..).zip(reachable).map(|(id, reachability)| {
        let (stage, transport, request) = (HttpStage::AwaitingBody, 5, None);
        let http = Some(HttpConnection { stage, transport, request, reachability });
        ReaderFacts { id: ConnectionId(id), reader: Reader::None, is_registered: true, http }
    });
    let (found, limits) = (found.collect(), Vec::new());
    let readers = Readers { process: CLIENT, at: at(9_500), found, goroutines: None, limits };
    steps_of_format_9().into_iter().chain([Step::Input(Input::Readers(readers))]).collect()
}

fn at(ms: u64) -> Timestamp {
    Timestamp::from_ms(80_000 + ms)
}

fn host() -> HostFacts {
    HostFacts {
        started_at: at(0),
        suspended_ns: 12_345_678_901,
        probes: vec![
            probe(Hook::InetSockSetState, true, "tp_btf"),
            probe(Hook::Accept, false, "not attached"),
        ],
        notes: vec![Note::Recorded { text: "the kernel is locked down".to_owned() }],
    }
}

fn probe(hook: Hook, is_attached: bool, text: &str) -> Probe {
    Probe { hook, state: AttachState::Recorded { is_attached, text: text.to_owned() } }
}

fn recorded_limit(text: &str) -> Limit {
    Limit::Recorded { text: text.to_owned() }
}

fn actor(stack: Option<u32>) -> Actor {
    Actor { key: CLIENT, comm: Comm("api".into()), stack: stack.map(StackId) }
}

fn events(round: u64) -> [Event; 6] {
    let established =
        EventKind::StateChanged { from: TcpState::SynSent, to: TcpState::Established };
    let kinds = [
        EventKind::Connected(Some(actor(Some(7)))),
        EventKind::Connected(None),
        established,
        EventKind::Accepted(Some(actor(None))),
        EventKind::Accepted(None),
        EventKind::Destroyed,
    ];
    let mut number = 0;
    kinds.map(|kind| {
        number += 1;
        Event {
            at: Timestamp::from_ns(80_000_000_000 + round * 500_000 + number * 1_001),
            id: ConnectionId(9 - number / 2),
            netns: 4_026_531_840,
            local: "[::1]:40000".parse().unwrap(),
            remote: "10.0.0.2:443".parse().unwrap(),
            kind,
        }
    })
}

fn snapshot(round: u64) -> Snapshot {
    // In the second round one socket is gone, one is new, one has moved, and each has changed.
    let sockets = match round {
        0 => [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13],
        _ => [2, 3, 4, 5, 7, 6, 8, 9, 10, 11, 12, 13, 14],
    };
    let sockets = sockets.map(|id| Arc::new(socket(id, round))).into();
    let holder = |key, tcp_fds| Holder { key, comm: Comm("api".into()), tcp_fds };
    Snapshot {
        started_at: at(500 + round * 100),
        ended_at: at(510 + round * 100),
        sockets,
        holders: vec![holder(SERVER, 300), holder(CLIENT, 13 + round)],
        listeners: [(4_026_531_840, 443), (4_026_531_840, 80 + u16::try_from(round).unwrap())]
            .into(),
        not_judged: [("mptcp".to_owned(), 2), ("sctp".to_owned(), round)].into(),
        undecodable: 1,
        unreadable: 2,
        unopened: 300 + round,
    }
}

fn socket(id: u64, round: u64) -> SocketFacts {
    let state = TcpState::from_kernel(u8::try_from(id % 11 + 1).unwrap()).unwrap();
    let owner = |key, fd| Owner { key, fd, comm: Comm("api".into()), in_scope: key == CLIENT };
    // The last three are unchanged, so that they form a range of unchanged elements.
    let changed = if id > 10 { 0 } else { round };
    let small = u8::try_from(changed).unwrap();
    let number = u32::try_from(changed).unwrap();
    let time = |ms: u64| match (id + changed) % 3 {
        0 => None,
        _ => Some(at(ms + changed * 15)),
    };
    SocketFacts {
        id: ConnectionId(id),
        inode: 500_000 + id + changed,
        netns: 4_026_531_840 + number,
        state: if changed == 0 { state } else { TcpState::CloseWait },
        local: format!("10.0.0.1:{}", 40_000 + id + changed).parse().unwrap(),
        remote: if id.is_multiple_of(2) { "[2001:db8::2]:443" } else { "10.0.0.2:443" }
            .parse()
            .unwrap(),
        owners: match id % 3 {
            0 => Vec::new(),
            1 => vec![owner(CLIENT, 300 + number)],
            _ => vec![owner(SERVER, 8), owner(CLIENT, 9 + number)],
        }
        .into(),
        rx_bytes: 1_000 + changed,
        tx_bytes: 2_000 + changed,
        unread_bytes: 3_000 + changed,
        unsent_bytes: 4_000 + changed,
        fin_received: [None, Some(false), Some(true)][usize::try_from((id + changed) % 3).unwrap()],
        drained: changed == 1,
        read_sequence: 5_000 + number,
        write_sequence: u32::MAX - number,
        last_sent_at: time(1),
        last_received_at: time(2),
        last_read_at: time(3),
        last_segment_at: time(3),
        last_ack_at: time(4),
        data_segments_sent: 6_000 + number,
        data_segments_received: 7_000 + number,
        unanswered_probes: 200 + small,
        retransmits: 201 + small,
        backoff: 202 + small,
        timer: Timer::from_kernel(u8::try_from((id + changed) % 5).unwrap()),
        peer_window: 65_535 + number,
        pending_error: [None, Some(false), Some(true)]
            [usize::try_from((id + changed) % 3).unwrap()],
        opened_actively: [Some(true), None, Some(false)]
            [usize::try_from((id + changed) % 3).unwrap()],
    }
}

fn processes(round: u64) -> [ProcessFacts; 3] {
    let bare = |pid| ProcessFacts {
        key: ProcessKey { pid, ..CLIENT },
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
    };
    let whole = ProcessFacts {
        key: CLIENT,
        exe: Some("/usr/bin/python3".to_owned()),
        cmdline: Some("python3 billing.py".to_owned()),
        script: None,
        uid: Some(1_000),
        container: Some(Container {
            id: "0123abcd".to_owned(),
            runtime: Some("docker".to_owned()),
            pod_uid: Some("1f0a".to_owned()),
        }),
        inner_pid: Some(17),
        open_fds: Some(400 + round),
        fd_limit: Some(1_024),
        stopped: true,
        has_executed: Some(false),
    };
    let unnamed = Container { id: "45ef".to_owned(), runtime: None, pod_uid: None };
    [whole, bare(1), ProcessFacts { container: Some(unnamed), ..bare(2) }]
}

fn readers(round: u64) -> Readers {
    let http = |stage, reachability, request: Option<&str>| HttpConnection {
        stage,
        transport: 0xc000_1234_5678 + round,
        request: request.map(str::to_owned),
        reachability,
    };
    let request = Some("GET http://10.0.0.2/path");
    let found = [
        (Reader::Unknown, false, None),
        (Reader::None, true, Some(http(HttpStage::AwaitingBody, Reachability::Unknown, None))),
        (
            Reader::Goroutine,
            true,
            Some(http(HttpStage::AwaitingBody, Reachability::NotOnStack, request)),
        ),
        (Reader::Goroutine, true, Some(http(HttpStage::Idle, Reachability::Held(None), request))),
        (Reader::Thread, false, None),
        (Reader::Epoll, true, None),
        (Reader::Mixed, round == 1, None),
    ];
    let found = (1..).zip(found).map(|(id, (reader, is_registered, http))| ReaderFacts {
        id: ConnectionId(id),
        reader,
        is_registered,
        http,
    });
    Readers {
        process: CLIENT,
        at: at(700 + round),
        found: found.collect(),
        goroutines: (round == 0).then_some(Goroutines {
            total: 300,
            read_loops: 20,
            write_loops: 21,
        }),
        limits: match round {
            0 => Vec::new(),
            _ => vec![recorded_limit("the memory of the process cannot be read")],
        },
    }
}

fn ledger(round: u64) -> Ledger {
    let stream = |id| HttpStream { id, held_bytes: 16_384, read_mark: u64::MAX - round };
    let response = |fd, stack, stream| OpenResponse { fd, since: at(100), stack, stream };
    Ledger {
        process: CLIENT,
        at: at(800 + round),
        open: vec![
            response(300, Some(StackId(7)), None),
            response(301, None, Some(stream(1))),
            response(301, Some(StackId(70_000)), Some(stream(3))),
        ],
        limits: match round {
            0 => Vec::new(),
            _ => vec![recorded_limit("the ledger is full")],
        },
    }
}

fn call_sites() -> [CallSite; 2] {
    let call_site = |stack, location: Option<&str>, reason: Option<&str>| CallSite {
        process: CLIENT,
        stack: StackId(stack),
        location: location.map(str::to_owned),
        reason: reason.map(|text| CallSiteReason::Recorded { text: text.to_owned() }),
    };
    [
        call_site(7, Some("main.get api.go:7"), None),
        call_site(70_000, None, Some("the program has no symbols")),
    ]
}

fn loss(round: u64) -> Loss {
    Loss {
        ring_full: 1,
        map_full: 2,
        unreadable: 3,
        snapshots_failed: 4,
        stacks_lost: 5,
        ledger_full: 600 + round,
    }
}
