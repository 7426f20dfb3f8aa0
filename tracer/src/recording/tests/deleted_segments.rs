//! A limited size, and what remains known after the oldest segments were deleted.

use std::{fs, os::unix::fs::PermissionsExt as _, sync::Arc};

use tracer_core::{
    Actor, CallSite, Comm, ConnectionId, Event, EventKind, HostFacts, Input, Note, Owner,
    ProcessKey, Snapshot, SocketFacts, StackId, TcpState,
};

use super::*;

const KEY: ProcessKey = ProcessKey { start_time_ns: 5, pid: 7 };
const MAX_BYTES: u64 = 64 << 10;

/// A snapshot and its report. One socket stays open, the others are new in every snapshot.
fn round(number: u64) -> Vec<Step> {
    let at = Timestamp::from_ms(number * 1_000);
    let sockets: Vec<Arc<SocketFacts>> = (0..20)
        .map(|index| socket(if index == 0 { 1 } else { number * 977 + index }, at))
        .map(Arc::new)
        .collect();
    let holders = tracer_core::Holder::of(&sockets);
    let snapshot =
        Snapshot { started_at: at, ended_at: at, sockets, holders, ..Snapshot::default() };
    let inputs = [Input::Snapshot(snapshot), Input::Tick(at)];
    inputs.map(Step::Input).into_iter().chain([Step::Reported]).collect()
}

pub(super) fn socket(id: u64, at: Timestamp) -> SocketFacts {
    // A number that does not compress well.
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
        last_read_at: Some(at),
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
        kind: EventKind::Connected(Some(Actor {
            key: KEY,
            comm: Comm("api".into()),
            stack: Some(StackId(9)),
        })),
    };
    let call_site = CallSite {
        process: KEY,
        stack: StackId(9),
        location: Some("main.get api.go:7".to_owned()),
        reason: None,
    };
    let host = HostFacts { started_at: Timestamp::from_ms(400), ..HostFacts::default() };
    [Input::Host(host), Input::Event(connected), Input::CallSite(call_site)].map(Step::Input)
}

#[test]
fn the_oldest_segments_are_deleted_and_what_still_holds_stays() {
    let test = TestFile::new();
    let mut recorder = Recorder::create(&test.path(), Some(MAX_BYTES), head()).unwrap();
    assert_eq!(recorder.note(), None);
    let mut steps: Vec<Step> = beginning().into();
    steps.extend((1..=300).flat_map(round));
    let mut length_max = 0;
    for step in &steps {
        write(&mut recorder, step);
        length_max = length_max.max(fs::metadata(test.path()).unwrap().len());
    }
    let note = recorder.note();
    assert!(matches!(note, Some(Note::RecordingSegmentsDeleted { segments: 2.. })), "{note:?}");
    recorder.finish().unwrap();

    assert!(length_max <= MAX_BYTES, "{length_max}");
    assert!(length_max > MAX_BYTES / 2, "{length_max}");
    assert_eq!(fs::metadata(test.path()).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read_dir(test.0.path()).unwrap().count(), 1, "no other file is left");
    let recording = Recording::open(&test.path()).unwrap();
    assert_eq!(recording.deleted(), note);
    let (read, ending) = read(recording);
    assert_eq!(ending, Ending::Whole);
    let (restated, rest) = read.split_at(3);
    assert_eq!(restated, [0, 2, 1].map(|index| steps[index].clone()));
    assert!(rest.len() > 100 && steps.ends_with(rest), "{} steps", rest.len());
}

#[test]
fn restated_inputs_are_skipped_if_no_segment_was_deleted() {
    let test = TestFile::new();
    let mut steps: Vec<Step> = beginning().into();
    steps.extend((1..=40).flat_map(round));
    test.record(&steps, Some(2 * MAX_BYTES));
    let bytes = fs::read(test.path()).unwrap();
    let heads = bytes.windows(4).filter(|bytes| bytes == b"\xf1tb\0").count();
    assert!(heads > 1, "{heads} segment of {} bytes", bytes.len());
    let mut recording = Recording::open(&test.path()).unwrap();
    assert_eq!(recording.deleted(), None);
    let mut read = Vec::new();
    while let Some(step) = recording.step().unwrap() {
        read.push(step);
    }
    assert_eq!(read, steps);
}

#[test]
fn an_earlier_recording_is_kept_and_no_other_file_is_touched() {
    let test = TestFile::new();
    test.record(&beginning(), None);
    let first = fs::read(test.path()).unwrap();
    test.record(&round(1), None);
    let old = test.0.path().join("run.rec.old");
    assert_eq!(fs::read(&old).unwrap(), first);
    assert_eq!(test.read().0, round(1));

    fs::write(&old, "other data").unwrap();
    let create = || Recorder::create(&test.path(), None, head()).err().unwrap().to_string();
    assert!(create().contains("that file exists and is not a recording"), "{}", create());
    fs::write(test.path(), "more data").unwrap();
    assert!(create().contains("the file exists and is not a recording"), "{}", create());
    assert_eq!(fs::read_to_string(test.path()).unwrap(), "more data");
}

/// The directory was opened before, and the owner stays the same.
#[cfg(feature = "root-tests")]
#[test]
fn the_file_is_replaced_without_being_root() {
    use std::{
        os::unix::fs::{MetadataExt as _, chown},
        thread,
    };

    use crate::collect::kernel::privileges::{Needs, drop_all_but};

    let test = TestFile::new();
    // Like `/tmp`, but of another user and closed to all others.
    let nobody = Some(65_534);
    chown(test.0.path(), nobody, nobody).unwrap();
    fs::set_permissions(test.0.path(), fs::Permissions::from_mode(0o1700)).unwrap();
    // Privileges are those of a thread.
    let (before, user) = thread::scope(|scope| {
        let thread = scope.spawn(|| {
            let mut recorder = Recorder::create(&test.path(), Some(MAX_BYTES), head()).unwrap();
            let before = fs::metadata(test.path()).unwrap();
            let replaces_files = recorder.replaces_file();
            assert!(replaces_files);
            drop_all_but(Needs { programs: false, uprobes: false, replaces_files }).unwrap();
            (1..=300).flat_map(round).for_each(|step| write(&mut recorder, &step));
            recorder.finish().unwrap();
            (before, rustix::process::geteuid())
        });
        thread.join().unwrap()
    });

    assert!(!user.is_root());
    let after = fs::metadata(test.path()).unwrap();
    assert_ne!(after.ino(), before.ino());
    assert_eq!(
        (after.uid(), after.gid(), after.mode()),
        (before.uid(), before.gid(), before.mode())
    );
    assert_eq!(fs::read_dir(test.0.path()).unwrap().count(), 1);
}
