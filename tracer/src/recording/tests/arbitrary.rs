//! Steps of every kind, about few sockets and processes, so that later ones refer to earlier ones.

use std::{net::SocketAddr, sync::Arc};

use proptest::{collection::vec, option, prelude::*};
use tracer_core::{
    Actor, AttachMethod, AttachState, CallSite, CallSiteReason, Comm, ConnectionId, Container,
    Event, EventKind, Goroutines, Holder, HolderKind, Hook, HostFacts, HttpConnection, HttpStage,
    HttpStream, Input, Ledger, Limit, Loss, NoAnswer, Note, OpenResponse, Owner, Probe,
    ProcessFacts, ProcessKey, Reachability, Reader, ReaderFacts, Readers, ResponseHolder, Snapshot,
    SocketFacts, StackId, Subject, TcpState, Timer, Timestamp,
};

use crate::recording::Step;

pub(super) fn steps() -> impl Strategy<Value = Vec<Step>> {
    vec(step(), 0..60)
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => input().prop_map(Step::Input),
        1 => time().prop_map(Step::Asked),
        1 => Just(Step::Reported),
    ]
}

fn input() -> impl Strategy<Value = Input> {
    prop_oneof![
        host().prop_map(Input::Host),
        event().prop_map(Input::Event),
        event().prop_map(Input::Event),
        snapshot().prop_map(Input::Snapshot),
        snapshot().prop_map(Input::Snapshot),
        process_facts().prop_map(Input::Process),
        key().prop_map(Input::ProcessUnreadable),
        readers().prop_map(Input::Readers),
        ledger().prop_map(Input::Ledger),
        call_site().prop_map(Input::CallSite),
        any::<u64>().prop_map(Input::Unanswered),
        (subject(), no_answer()).prop_map(|(subject, reason)| Input::NoAnswer(subject, reason)),
        key().prop_map(Input::ResponsesAwaited),
        note().prop_map(Input::Note),
        loss().prop_map(Input::Loss),
        time().prop_map(Input::Tick),
    ]
}

fn time() -> impl Strategy<Value = Timestamp> {
    prop_oneof![0..3_u64, any::<u64>()].prop_map(Timestamp::from_ns)
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![Just("a\n\u{7}"), Just(""), Just("again")].prop_map(str::to_owned)
}

fn id() -> impl Strategy<Value = ConnectionId> {
    prop_oneof![4 => 0..6_u64, 1 => any::<u64>()].prop_map(ConnectionId)
}

fn key() -> impl Strategy<Value = ProcessKey> {
    (0..2_u64, 0..2_u32).prop_map(|(start_time_ns, pid)| ProcessKey { start_time_ns, pid })
}

fn stack() -> impl Strategy<Value = StackId> {
    (0..2_u32).prop_map(StackId)
}

fn subject() -> impl Strategy<Value = Subject> {
    prop_oneof![
        key().prop_map(Subject::Process),
        key().prop_map(Subject::Readers),
        key().prop_map(Subject::Responses),
        (key(), stack()).prop_map(|(process, stack)| Subject::CallSite(process, stack)),
    ]
}

fn no_answer() -> impl Strategy<Value = NoAnswer> {
    prop_oneof![Just(NoAnswer::Ended), Just(NoAnswer::OutOfTime), Just(NoAnswer::Failed)]
}

fn address() -> impl Strategy<Value = SocketAddr> {
    let ip = prop_oneof![Just([10, 0, 0, 1].into()), any::<std::net::IpAddr>()];
    (ip, 0..2_u16).prop_map(|(ip, port)| SocketAddr::new(ip, port))
}

fn state() -> impl Strategy<Value = TcpState> {
    (1..12_u8).prop_map(|number| TcpState::from_kernel(number).unwrap())
}

fn host() -> impl Strategy<Value = HostFacts> {
    (time(), any::<u64>(), vec(probe(), 0..3), vec(note(), 0..3)).prop_map(
        |(started_at, suspended_ns, probes, notes)| HostFacts {
            started_at,
            suspended_ns,
            probes,
            notes,
        },
    )
}

fn event() -> impl Strategy<Value = Event> {
    (time(), id(), 0..2_u32, address(), address(), event_kind()).prop_map(
        |(at, id, netns, local, remote, kind)| Event { at, id, netns, local, remote, kind },
    )
}

fn event_kind() -> impl Strategy<Value = EventKind> {
    let actor = || {
        let actor = (key(), text(), option::of(stack()));
        option::of(actor.prop_map(|(key, comm, stack)| Actor {
            key,
            comm: Comm(comm.into()),
            stack,
        }))
    };
    prop_oneof![
        actor().prop_map(EventKind::Connected),
        actor().prop_map(EventKind::Accepted),
        (state(), state()).prop_map(|(from, to)| EventKind::StateChanged { from, to }),
        Just(EventKind::Destroyed),
    ]
}

fn snapshot() -> impl Strategy<Value = Snapshot> {
    let holder = (key(), text(), 0..3_u64);
    let holder =
        holder.prop_map(|(key, comm, tcp_fds)| Holder { key, comm: Comm(comm.into()), tcp_fds });
    let listeners = proptest::collection::btree_set((0..2_u32, 0..2_u16), 0..3);
    let not_judged = proptest::collection::btree_map(text(), any::<u64>(), 0..3);
    let sockets = vec(socket().prop_map(Arc::new), 0..8);
    let counts = (0..2_u64, 0..2_u64, 0..2_u64);
    (time(), time(), sockets, vec(holder, 0..4), listeners, not_judged, counts).prop_map(
        |(started_at, ended_at, sockets, holders, listeners, not_judged, counts)| Snapshot {
            started_at,
            ended_at,
            sockets,
            holders,
            listeners,
            not_judged,
            undecodable: counts.0,
            unreadable: counts.1,
            unopened: counts.2,
        },
    )
}

fn socket() -> impl Strategy<Value = SocketFacts> {
    let owner = (key(), 0..3_u32, text(), any::<bool>());
    let owner = owner.prop_map(|(key, fd, comm, in_scope)| Owner {
        key,
        fd,
        comm: Comm(comm.into()),
        in_scope,
    });
    let who = (id(), 0..2_u64, state(), address(), address(), vec(owner, 0..3));
    let dates = proptest::array::uniform5(option::of(time()));
    let numbers = (proptest::array::uniform10(0..2_u32), proptest::array::uniform3(0..2_u8));
    let flags = (proptest::array::uniform3(option::of(any::<bool>())), any::<bool>(), 0..4_u8);
    (who, dates, numbers, flags).prop_map(|(who, dates, (numbers, counts), flags)| {
        let (id, inode, state, local, remote, owners) = who;
        let [last_sent_at, last_received_at, last_read_at, last_segment_at, last_ack_at] = dates;
        let ([fin_received, pending_error, opened_actively], drained, timer) = flags;
        SocketFacts {
            id,
            inode,
            netns: numbers[0],
            state,
            local,
            remote,
            owners: owners.into(),
            rx_bytes: numbers[1].into(),
            tx_bytes: numbers[2].into(),
            unread_bytes: numbers[3].into(),
            unsent_bytes: numbers[4].into(),
            fin_received,
            drained,
            read_sequence: numbers[5],
            write_sequence: numbers[6],
            last_sent_at,
            last_received_at,
            last_read_at,
            last_segment_at,
            last_ack_at,
            data_segments_sent: numbers[7],
            data_segments_received: numbers[8],
            unanswered_probes: counts[0],
            retransmits: counts[1],
            backoff: counts[2],
            timer: Timer::from_kernel(timer),
            peer_window: numbers[9],
            pending_error,
            opened_actively,
        }
    })
}

fn process_facts() -> impl Strategy<Value = ProcessFacts> {
    let container = (text(), option::of(text()), option::of(text()))
        .prop_map(|(id, runtime, pod_uid)| Container { id, runtime, pod_uid });
    let place = (option::of(container), option::of(0..2_u32));
    let strings = (option::of(text()), option::of(text()), option::of(text()), place);
    let numbers = (option::of(0..2_u32), option::of(0..2_u64), option::of(0..2_u64));
    (key(), strings, numbers, any::<bool>(), option::of(any::<bool>())).prop_map(
        |(key, (exe, cmdline, script, place), (uid, open_fds, fd_limit), stopped, has_executed)| {
            let (container, inner_pid) = place;
            ProcessFacts {
                key,
                exe,
                cmdline,
                script,
                uid,
                container,
                inner_pid,
                open_fds,
                fd_limit,
                stopped,
                has_executed,
            }
        },
    )
}

fn readers() -> impl Strategy<Value = Readers> {
    let goroutines = (0..2_u64, 0..2_u64, 0..2_u64)
        .prop_map(|(total, read_loops, write_loops)| Goroutines { total, read_loops, write_loops });
    let found = vec(reader_facts(), 0..5);
    (key(), time(), found, option::of(goroutines), vec(limit(), 0..3)).prop_map(
        |(process, at, found, goroutines, limits)| Readers {
            process,
            at,
            found,
            goroutines,
            limits,
        },
    )
}

fn reader_facts() -> impl Strategy<Value = ReaderFacts> {
    let reader = prop_oneof![
        Just(Reader::Unknown),
        Just(Reader::None),
        Just(Reader::Goroutine),
        Just(Reader::Thread),
        Just(Reader::Epoll),
    ];
    let stage = prop_oneof![Just(HttpStage::AwaitingBody), Just(HttpStage::Idle)];
    let http = (stage, any::<u64>(), option::of(text()), reachability());
    let http = http.prop_map(|(stage, transport, request, reachability)| HttpConnection {
        stage,
        transport,
        request,
        reachability,
    });
    (id(), reader, any::<bool>(), option::of(http)).prop_map(|(id, reader, is_registered, http)| {
        ReaderFacts { id, reader, is_registered, http }
    })
}

fn reachability() -> impl Strategy<Value = Reachability> {
    let kind = prop_oneof![Just(HolderKind::Goroutine), Just(HolderKind::Global)];
    let holder = (kind, option::of(text())).prop_map(|(kind, name)| ResponseHolder { kind, name });
    prop_oneof![
        Just(Reachability::Unknown),
        Just(Reachability::NotOnStack),
        Just(Reachability::Dropped),
        option::of(holder.prop_map(Box::new)).prop_map(Reachability::Held),
    ]
}

fn ledger() -> impl Strategy<Value = Ledger> {
    let stream = (0..2_u32, 0..2_u64, any::<u64>())
        .prop_map(|(id, held_bytes, read_mark)| HttpStream { id, held_bytes, read_mark });
    let response = (0..2_u32, time(), option::of(stack()), option::of(stream))
        .prop_map(|(fd, since, stack, stream)| OpenResponse { fd, since, stack, stream });
    (key(), time(), vec(response, 0..5), vec(limit(), 0..3))
        .prop_map(|(process, at, open, limits)| Ledger { process, at, open, limits })
}

fn call_site() -> impl Strategy<Value = CallSite> {
    let reason = prop_oneof![
        Just(CallSiteReason::StackEmpty),
        limit().prop_map(CallSiteReason::Process),
        text().prop_map(|text| CallSiteReason::Recorded { text }),
    ];
    (key(), stack(), option::of(text()), option::of(reason)).prop_map(
        |(process, stack, location, reason)| CallSite { process, stack, location, reason },
    )
}

fn note() -> impl Strategy<Value = Note> {
    prop_oneof![
        Just(Note::SingleSnapshot),
        (0..3_usize, limit()).prop_map(|(processes, limit)| Note::ReaderLimit { processes, limit }),
        text().prop_map(|text| Note::Recorded { text }),
    ]
}

fn limit() -> impl Strategy<Value = Limit> {
    prop_oneof![
        Just(Limit::NotGo),
        (any::<u64>(), any::<u64>())
            .prop_map(|(scanned, total)| Limit::GoroutinesTruncated { scanned, total }),
        text().prop_map(|text| Limit::Recorded { text }),
    ]
}

fn probe() -> impl Strategy<Value = Probe> {
    let state = prop_oneof![
        Just(AttachState::Attached { method: AttachMethod::Fexit, failures: Vec::new() }),
        (any::<bool>(), text())
            .prop_map(|(is_attached, text)| AttachState::Recorded { is_attached, text }),
    ];
    state.prop_map(|state| Probe { hook: Hook::Accept, state })
}

fn loss() -> impl Strategy<Value = Loss> {
    proptest::array::uniform6(0..2_u64).prop_map(|numbers| Loss {
        ring_full: numbers[0],
        map_full: numbers[1],
        unreadable: numbers[2],
        snapshots_failed: numbers[3],
        stacks_lost: numbers[4],
        ledger_full: numbers[5],
    })
}
