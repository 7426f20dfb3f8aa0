//! A limit of size, and what is still known of what was dropped.

use std::{fs, os::unix::fs::PermissionsExt as _};

use tracer_core::{
    Actor, CallSite, Comm, ConnectionId, Event, Happening, HostFacts, Input, Owner, ProcessKey,
    Snapshot, SocketFacts, StackId, TcpState,
};

use super::*;

const KEY: ProcessKey = ProcessKey { start_time_ns: 5, pid: 7 };
const MAX_BYTES: u64 = 64 << 10;

/// Sockets that are different ones at every look, and one that stays.
fn look(number: u64) -> Vec<Step> {
    let at = Timestamp::from_ms(number * 1_000);
    let sockets: Vec<Box<SocketFacts>> = (0..20)
        .map(|place| socket(if place == 0 { 1 } else { number * 977 + place }, at))
        .map(Box::new)
        .collect();
    let holders = tracer_core::Holder::of(&sockets);
    let snapshot =
        Snapshot { started_at: at, ended_at: at, sockets, holders, ..Snapshot::default() };
    let inputs = [Input::Snapshot(snapshot), Input::Tick(at)];
    inputs.map(Step::Input).into_iter().chain([Step::Reported]).collect()
}

pub(super) fn socket(id: u64, at: Timestamp) -> SocketFacts {
    // A number that does not pack well.
    let noise = id.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    SocketFacts {
        id: ConnectionId(id),
        inode: noise,
        netns: 1,
        state: TcpState::Established,
        local: ([10, 0, 0, 1], 40_000).into(),
        remote: ([10, 0, 0, 2], 443).into(),
        owners: [Owner { key: KEY, fd: 3, comm: Comm("api".into()), in_scope: true }].into(),
        rx_bytes: noise >> 7,
        tx_bytes: noise >> 9,
        unread_bytes: 0,
        unsent_bytes: 0,
        fin_received: Some(false),
        drained: true,
        read_sequence: 1,
        write_sequence: 1,
        last_sent_at: Some(Timestamp::from_ns(noise >> 20)),
        last_received_at: None,
        last_segment_at: Some(at),
        last_ack_at: None,
        data_segments_sent: 1,
        data_segments_received: 1,
        unanswered_probes: 0,
        retransmits: 0,
        backoff: 0,
        timer: tracer_core::Timer::None,
        peer_window: 65_535,
        pending_error: Some(false),
        opened_actively: Some(true),
    }
}

fn beginning() -> [Step; 3] {
    let connected = Event {
        at: Timestamp::from_ms(500),
        id: ConnectionId(1),
        netns: 1,
        local: ([10, 0, 0, 1], 40_000).into(),
        remote: ([10, 0, 0, 2], 443).into(),
        happening: Happening::Connected(Some(Actor {
            key: KEY,
            comm: Comm("api".into()),
            stack: Some(StackId(9)),
        })),
    };
    let call_site = CallSite {
        process: KEY,
        stack: StackId(9),
        place: Some("main.get api.go:7".to_owned()),
        limits: None,
    };
    let host = HostFacts { started_at: Timestamp::from_ms(400), ..HostFacts::default() };
    [Input::Host(host), Input::Event(connected), Input::CallSite(call_site)].map(Step::Input)
}

#[test]
fn the_oldest_parts_go_and_what_still_holds_stays() {
    let place = Place::new();
    let mut recorder = Recorder::create(&place.path(), Some(MAX_BYTES), head()).unwrap();
    assert_eq!(recorder.note(), None);
    let mut steps: Vec<Step> = beginning().into();
    steps.extend((1..=300).flat_map(look));
    let mut length_max = 0;
    for step in &steps {
        tell(&mut recorder, step);
        length_max = length_max.max(fs::metadata(place.path()).unwrap().len());
    }
    assert!(recorder.note().unwrap().contains("oldest parts were dropped"));
    recorder.finish().unwrap();

    assert!(length_max <= MAX_BYTES, "{length_max}");
    assert!(length_max > MAX_BYTES / 2, "{length_max}");
    assert_eq!(fs::metadata(place.path()).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read_dir(place.0.path()).unwrap().count(), 1, "nothing is left beside it");
    let recording = Recording::open(&place.path()).unwrap();
    assert!(recording.dropped().unwrap().contains("--max-size"));
    let (read, ending) = read(recording);
    assert_eq!(ending, Ending::Whole);
    let (carried, rest) = read.split_at(3);
    assert_eq!(carried, [0, 2, 1].map(|place| steps[place].clone()));
    assert!(rest.len() > 100 && steps.ends_with(rest), "{} steps", rest.len());
}

#[test]
fn what_is_carried_over_is_said_once_if_nothing_was_dropped() {
    let place = Place::new();
    let mut steps: Vec<Step> = beginning().into();
    steps.extend((1..=40).flat_map(look));
    place.record(&steps, Some(2 * MAX_BYTES));
    let bytes = fs::read(place.path()).unwrap();
    let heads = bytes.windows(4).filter(|bytes| bytes == b"\xf1tb\0").count();
    assert!(heads > 1, "{heads} segment of {} bytes", bytes.len());
    let mut recording = Recording::open(&place.path()).unwrap();
    assert_eq!(recording.dropped(), None);
    let mut read = Vec::new();
    while let Some(step) = recording.step().unwrap() {
        read.push(step);
    }
    assert_eq!(read, steps);
}

#[test]
fn an_earlier_recording_is_kept_and_nothing_else_is_touched() {
    let place = Place::new();
    place.record(&beginning(), None);
    let first = fs::read(place.path()).unwrap();
    place.record(&look(1), None);
    let old = place.0.path().join("run.rec.old");
    assert_eq!(fs::read(&old).unwrap(), first);
    assert_eq!(place.read().0, look(1));

    fs::write(&old, "do not lose me").unwrap();
    let create = || Recorder::create(&place.path(), None, head()).err().unwrap().to_string();
    assert!(create().contains("that is something else"), "{}", create());
    fs::write(place.path(), "nor me").unwrap();
    assert!(create().contains("it is something else than a recording"), "{}", create());
    assert_eq!(fs::read_to_string(place.path()).unwrap(), "nor me");
}
