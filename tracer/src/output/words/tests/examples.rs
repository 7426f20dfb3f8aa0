//! One value of each variant, and more if singular or plural, or a bound, changes the sentence.

mod caveats;

pub(crate) use caveats::caveats;
use tracer_core::{
    AccessError, AttachError, AttachFailure, AttachMethod, AttachState, CallSiteReason, Comm,
    CountOf, Counted, DurationRange, Evidence, FallbackReason, Hook, Limit, NoAnswer, Note,
    Occurrence, Probe, ProcessKey, QuestionKind, Recurrence, Verdict,
};

const SECOND: u64 = 1_000;
const MINUTE: u64 = 60 * SECOND;

pub(crate) const VERDICTS: [Verdict; 13] = [
    Verdict::BodyNotClosed,
    Verdict::Ghost,
    Verdict::NeverRead,
    Verdict::CloseWait,
    Verdict::Undrained,
    Verdict::Abandoned,
    Verdict::UnsharedPool,
    Verdict::Inherited,
    Verdict::Orphaned,
    Verdict::NeverReused,
    Verdict::PeerNotReading,
    Verdict::StalePool,
    Verdict::Growing,
];

/// 1m 40s to 51m.
const fn long() -> DurationRange {
    DurationRange { min_ms: 100 * SECOND, max_ms: 51 * MINUTE }
}

const fn of(count: usize, total: usize) -> CountOf {
    CountOf { count, total }
}

const fn recurrence(occurrence: Occurrence) -> Recurrence {
    Recurrence { occurrence, times: 12, span_ms: 110 * SECOND }
}

fn counted<T>(values: [T; 2]) -> Vec<Counted<T>> {
    values.into_iter().zip([8, 5]).map(|(value, count)| Counted { value, count }).collect()
}

pub(crate) fn evidence() -> Vec<Evidence> {
    let one = DurationRange { min_ms: 5 * SECOND, max_ms: 5 * SECOND };
    vec![
        Evidence::PeerClosed { count: 1_204, ago: long() },
        Evidence::PeerClosed { count: 1, ago: one },
        Evidence::EofReceived(of(5, 7)),
        Evidence::EofReceived(of(7, 7)),
        Evidence::Dead { count: 21, dead: long(), is_lower_bound: false },
        Evidence::Dead { count: 1, dead: one, is_lower_bound: true },
        Evidence::DeathReported(of(5, 5)),
        Evidence::DeathReported(of(1, 5)),
        Evidence::DeathUnnoticed { count: 12 },
        Evidence::DeathUnnoticed { count: 1 },
        Evidence::NeverRead { count: 7, received_bytes: 700, waiting: long() },
        Evidence::NeverRead { count: 1, received_bytes: 0, waiting: one },
        Evidence::PeerGaveUp(of(3, 7)),
        Evidence::PeerGaveUp(of(1, 7)),
        Evidence::UnreadSilent { count: 36, unread_bytes: 1_270_383, silent: long() },
        Evidence::UnreadSilent { count: 1, unread_bytes: 1, silent: one },
        Evidence::UnreadGrowing { count: 6, unread_bytes: 90_000 },
        Evidence::UnreadGrowing { count: 1, unread_bytes: 90_000 },
        Evidence::NothingRead { watched: long() },
        Evidence::ResponseSilent { count: 25, silent: long() },
        Evidence::ResponseSilent { count: 1, silent: one },
        Evidence::SilentWithoutReader { count: 25, silent: long() },
        Evidence::SilentWithoutReader { count: 1, silent: one },
        Evidence::OpenResponses { count: 23, age: long() },
        Evidence::OpenResponses { count: 1, age: one },
        Evidence::StreamsUnread {
            streams: 14,
            connections: 1,
            buffered_bytes: 56_000_000,
            unread: long(),
        },
        Evidence::StreamsUnread { streams: 1, connections: 1, buffered_bytes: 4_096, unread: one },
        Evidence::DataPending(of(3, 5)),
        Evidence::DataPending(of(1, 5)),
        Evidence::SameDestination { count: 30 },
        Evidence::ResponseUnreferenced(of(25, 25)),
        Evidence::ResponseUnreferenced(of(1, 1)),
        Evidence::NoReader(of(25, 25)),
        Evidence::NoReader(of(24, 25)),
        Evidence::NoReader(of(1, 25)),
        Evidence::NoReaderNoEpoll { count: 6 },
        Evidence::NoReaderNoEpoll { count: 1 },
        Evidence::NoThreadNoEpoll { count: 6 },
        Evidence::NoThreadNoEpoll { count: 1 },
        Evidence::Requests {
            top: counted(["GET http://a/b".to_owned(), "GET http://a/c".to_owned()]),
            others: 2,
        },
        Evidence::Destinations {
            top: counted(["10.0.0.1:443", "[2001:db8::1]:443"].map(|it| it.parse().unwrap())),
            others: 0,
        },
        Evidence::CallSites {
            top: counted(["main.get a.go:1".to_owned(), "main.put a.go:9".to_owned()]),
            others: 1,
        },
        Evidence::Rising { recurrence: recurrence(Occurrence::PeerClosed), since_last_ms: 60_000 },
        Evidence::Rising { recurrence: recurrence(Occurrence::WentSilent), since_last_ms: 60_000 },
        Evidence::Rising { recurrence: recurrence(Occurrence::Died), since_last_ms: 60_000 },
        Evidence::Rising { recurrence: recurrence(Occurrence::Requested), since_last_ms: 60_000 },
        Evidence::Ceased {
            recurrence: recurrence(Occurrence::WentSilent),
            since_last_ms: 477 * MINUTE,
        },
        Evidence::SeparateTimes(Recurrence { times: 2, ..recurrence(Occurrence::Died) }),
        Evidence::Series {
            occurrence: Occurrence::WentSilent,
            count: 61,
            span_ms: 154 * SECOND,
            pause_max_ms: 2_020,
            since_last_ms: 60 * SECOND,
        },
        Evidence::Series {
            occurrence: Occurrence::PeerClosed,
            count: 1_019,
            span_ms: 102 * SECOND,
            pause_max_ms: 100,
            since_last_ms: 60 * SECOND,
        },
        Evidence::FdLimitReached { count: 1_019, open: 1_024, limit: 1_024 },
        Evidence::CountRose { windows: 5, from: 20, to: 45 },
        Evidence::HalfClosedRose { windows: 5, from: 20, to: 45 },
    ]
    .into_iter()
    .chain(evidence_of_silence_and_origin())
    .collect()
}

fn evidence_of_silence_and_origin() -> [Evidence; 22] {
    let one = DurationRange { min_ms: 5 * SECOND, max_ms: 5 * SECOND };
    [
        Evidence::NothingAcknowledged { count: 6, silent: long() },
        Evidence::NothingAcknowledged { count: 1, silent: one },
        Evidence::ProbesUnanswered { count: 6, total: 6, consecutive_max: 3 },
        Evidence::ProbesUnanswered { count: 1, total: 6, consecutive_max: 1 },
        Evidence::DataRetransmitted { count: 6, total: 6, retransmits_max: 6 },
        Evidence::DataRetransmitted { count: 1, total: 6, retransmits_max: 1 },
        Evidence::IdleWithReader { count: 25, idle: long() },
        Evidence::IdleWithReader { count: 1, idle: one },
        Evidence::SeparateTransports { transports: 25 },
        Evidence::OpenedWhileOthersIdle(of(24, 25)),
        Evidence::OpenedWhileOthersIdle(of(1, 25)),
        Evidence::ServedAtMostOnce(of(25, 25)),
        Evidence::ServedAtMostOnce(of(1, 25)),
        Evidence::ServedOnce { count: 25, silent: long() },
        Evidence::ServedOnce { count: 1, silent: one },
        Evidence::OpenedByAnother { count: 6, silent: long() },
        Evidence::OpenedByAnother { count: 1, silent: one },
        Evidence::Opener { pid: 4_711 },
        Evidence::CloseOnExecMissing,
        Evidence::ForkedFromOpener,
        Evidence::SendStalled { count: 6, unsent_bytes: 360_000, stalled: long() },
        Evidence::SendStalled { count: 1, unsent_bytes: 360_000, stalled: one },
    ]
}

pub(crate) fn call_site_reasons() -> Vec<CallSiteReason> {
    let without_frame_pointers = |module: Option<&str>, explanation: Option<&str>| {
        let [module, explanation] = [module, explanation].map(|it| it.map(str::to_owned));
        CallSiteReason::FramePointersMissing { module, explanation }
    };
    vec![
        CallSiteReason::OpenedBeforeTracing,
        CallSiteReason::StackNotRecorded,
        CallSiteReason::NotResolved,
        CallSiteReason::StackNotKept,
        CallSiteReason::StackEmpty,
        CallSiteReason::StackTooDeep { frames_max: 127 },
        without_frame_pointers(Some("/usr/bin/app"), None),
        without_frame_pointers(None, Some("run java with -XX:+PreserveFramePointer")),
        CallSiteReason::SymbolsMissing { module: Some("/usr/bin/app".to_owned()) },
        CallSiteReason::SymbolsMissing { module: None },
        CallSiteReason::HiddenByRuntime { explanation: "(text of the frame rules)".to_owned() },
        CallSiteReason::HiddenFrame,
        CallSiteReason::NoApplicationFrame,
        CallSiteReason::PerfMapUntrusted,
        CallSiteReason::PerfMapTooLarge { bytes_max: 256 << 20 },
        CallSiteReason::PerfMapUnreadable { detail: "Permission denied".to_owned() },
        CallSiteReason::GoLinesInconsistent,
        CallSiteReason::SeveralCallSites,
        CallSiteReason::Recorded { text: "(text of an old recording)".to_owned() },
        CallSiteReason::Process(Limit::NotGo),
    ]
}

pub(crate) fn limits() -> Vec<Limit> {
    let denied =
        |detail: Option<&str>| AccessError::PermissionDenied { detail: detail.map(str::to_owned) };
    let failed = AccessError::Failed { detail: "Input/output error".to_owned() };
    vec![
        Limit::FdsUnreadable { error: denied(None) },
        Limit::FdsUnreadable { error: failed },
        Limit::ThreadsUnreadable { error: denied(Some("Operation not permitted")) },
        Limit::MemoryUnreadable { error: AccessError::YamaPtraceScope },
        Limit::MemoryUnreadable { error: AccessError::NotInKernel },
        Limit::EpollsTruncated { fds_max: 1_024, registrations_max: 65_536 },
        Limit::ThreadsTruncated { threads_max: 4_096 },
        Limit::PolledFdsTruncated,
        Limit::ThirtyTwoBitProgram,
        Limit::NotGo,
        Limit::GoOtherArchitecture,
        Limit::GoroutinesNotOnArchitecture,
        Limit::GoTooOld { minor: 18, oldest_minor: 19 },
        Limit::GoTooNew { minor: 28, newest_minor: 27 },
        Limit::NothingVerified,
        Limit::GoFunctionTableMissing,
        Limit::GoroutineListMissing,
        Limit::GoroutineListMoved,
        Limit::GoroutinesTruncated { scanned: 250_000, total: 300_000 },
        Limit::StacksTruncated { scanned_bytes: 512 << 20 },
        Limit::ReferencesIncomplete,
        Limit::GoFunctionMissing { function: "net/http.(*persistConn).closeLocked".to_owned() },
        Limit::UprobesRefused { detail: "Operation not permitted".to_owned() },
        Limit::ProcessEnded,
        Limit::ResponsesTruncated { resolved: 4_096, total: 5_000 },
        Limit::ConnectionsNotFound { missing: 1, total: 2 },
        Limit::Recorded { text: "(text of an old recording)".to_owned() },
        Limit::InspectionTooLarge { bytes_max: 192 << 20 },
        Limit::InspectionTooLong { steps_max: 1 << 32 },
        Limit::FileNotLocal { filesystem: "fuse.sshfs".to_owned() },
    ]
}

pub(crate) fn notes() -> Vec<Note> {
    let detail = || "No space left on device".to_owned();
    let not_loaded = FallbackReason::ProgramsNotLoaded { detail: "not permitted".to_owned() };
    vec![
        Note::ProcessesNotIdentified { count: 7, per_snapshot_max: 1_024 },
        Note::ProcessesNotIdentified { count: 1, per_snapshot_max: 1_024 },
        Note::ReadersNotInspected { count: 7, per_snapshot_max: 256 },
        Note::ReadersNotInspected { count: 1, per_snapshot_max: 256 },
        Note::ReadersOutOfTime { count: 7 },
        Note::ReadersOutOfTime { count: 1 },
        Note::ResponsesStale { count: 7 },
        Note::ResponsesStale { count: 1 },
        Note::StacksNotResolved { count: 7, per_snapshot_max: 64 },
        Note::StacksNotResolved { count: 1, per_snapshot_max: 64 },
        Note::StacksLost { count: 7 },
        Note::StacksLost { count: 1 },
        Note::RetractedNotListed { count: 7 },
        Note::RetractedNotListed { count: 1 },
        Note::SocketsUndecodable { count: 7 },
        Note::SocketsUndecodable { count: 1 },
        Note::FdsUnreadable { count: 7 },
        Note::FdsUnreadable { count: 1 },
        Note::SocketsNotInspected { count: 7 },
        Note::SocketsNotInspected { count: 1 },
        Note::ReaderLimit { processes: 3, limit: Limit::ThirtyTwoBitProgram },
        Note::ReaderLimit { processes: 1, limit: Limit::ThirtyTwoBitProgram },
        Note::ResponseLimit { processes: 3, limit: Limit::ProcessEnded },
        Note::ResponseLimit { processes: 1, limit: Limit::GoroutineListMoved },
        Note::CallSiteLimit { stacks: 3, reason: CallSiteReason::HiddenFrame },
        Note::CallSiteLimit { stacks: 1, reason: CallSiteReason::HiddenFrame },
        Note::InsidePidNamespace,
        Note::WithoutKernelPrograms { reason: FallbackReason::Requested },
        Note::WithoutKernelPrograms { reason: not_loaded },
        Note::WithoutEvents,
        Note::DeathTimesByWatching,
        Note::RunTooShortForResponses,
        Note::SingleSnapshot,
        Note::TargetProcessesEnded,
        Note::DescendantsNotObserved { process: SHELL, comm: Comm("sh".into()), descendants: 1 },
        Note::DescendantsNotObserved { process: SHELL, comm: Comm("sh".into()), descendants: 12 },
        not_connected(300, 0, 0),
        not_connected(11, 1, 12),
        not_connected(1_200, 3, 900),
        Note::FollowedProcessesFull { processes_max: 256 },
        Note::OtherThresholds { unanswered: 0 },
        Note::OtherThresholds { unanswered: 1 },
        Note::OtherThresholds { unanswered: 2 },
        Note::RecordingTruncated,
        Note::RecordingDamaged { offset_bytes: 12_345 },
        Note::RecordingSegmentsDeleted { segments: 1 },
        Note::RecordingSegmentsDeleted { segments: 2 },
        Note::RecordingStopped { detail: detail() },
        Note::CsvStopped { detail: detail() },
        Note::NoSnapshot,
        Note::SnapshotsFailed { count: 2 },
        Note::ProcessesStopped { count: 1 },
        Note::ProcessesStopped { count: 2 },
        Note::SnapshotsFailed { count: 1 },
        Note::ConnectionsNotKept { count: 2 },
        Note::ConnectionsNotKept { count: 1 },
        Note::ResponsesNotKept { count: 2 },
        Note::ResponsesNotKept { count: 1 },
        Note::Recorded { text: "(text of an old recording)".to_owned() },
        Note::FactsLost { ages: 12, openers: 15, call_sites: 15 },
        Note::FactsLost { ages: 0, openers: 0, call_sites: 1 },
        Note::OutsideNotVisible,
        no_answer(QuestionKind::Process, NoAnswer::OutOfTime, 7),
        no_answer(QuestionKind::Readers, NoAnswer::OutOfTime, 1),
        no_answer(QuestionKind::CallSite, NoAnswer::OutOfTime, 7),
        no_answer(QuestionKind::Process, NoAnswer::Failed, 1),
        no_answer(QuestionKind::Readers, NoAnswer::Failed, 7),
        no_answer(QuestionKind::CallSite, NoAnswer::Failed, 7),
        no_answer(QuestionKind::Responses, NoAnswer::OutOfTime, 7),
        no_answer(QuestionKind::Responses, NoAnswer::Failed, 1),
        no_answer(QuestionKind::Readers, NoAnswer::Ended, 7),
        no_answer(QuestionKind::CallSite, NoAnswer::Ended, 1),
    ]
}

/// Notes that contain a limit, about one process and about several.
pub(crate) fn notes_with(limit: &Limit) -> [Note; 2] {
    let response = |processes| Note::ResponseLimit { processes, limit: limit.clone() };
    [response(1), response(3)]
}

pub(crate) fn fallback_reasons() -> Vec<FallbackReason> {
    vec![
        FallbackReason::Requested,
        FallbackReason::ProgramsNotLoaded { detail: "not permitted".to_owned() },
    ]
}

pub(crate) fn probes() -> Vec<Probe> {
    let failure = |method| AttachFailure {
        method,
        error: AttachError::Refused { detail: "locked down".to_owned() },
    };
    let attached = |method, failures| AttachState::Attached { method, failures };
    let fexit = || failure(AttachMethod::Fexit);
    let tracepoint = || failure(AttachMethod::Tracepoint);
    let sock_diag = |reason| AttachState::SockDiag { reason };
    let not_loaded = FallbackReason::ProgramsNotLoaded { detail: "not permitted".to_owned() };
    let text = || "(text of an old recording)".to_owned();
    [
        (Hook::InetSockSetState, attached(AttachMethod::TpBtf, vec![])),
        (Hook::InetSockSetState, AttachState::NotAttached { failures: vec![] }),
        (Hook::TcpDestroySock, AttachState::NotAttached { failures: vec![fexit()] }),
        (Hook::Accept, attached(AttachMethod::Tracepoint, vec![fexit()])),
        (Hook::Accept, attached(AttachMethod::Kretprobe, vec![fexit(), tracepoint()])),
        (Hook::Accept4, AttachState::NotAttached { failures: vec![fexit(), tracepoint()] }),
        (Hook::Snapshot, sock_diag(FallbackReason::Requested)),
        (Hook::Snapshot, sock_diag(not_loaded)),
        (Hook::Snapshot, AttachState::Recorded { is_attached: true, text: text() }),
    ]
    .map(|(hook, state)| Probe { hook, state })
    .into()
}

pub(crate) fn attach_errors() -> Vec<AttachError> {
    let detail = || "Permission denied".to_owned();
    vec![
        AttachError::FexitUnsafe,
        AttachError::TracefsUnreadable { detail: detail() },
        AttachError::TracefsUnavailable { detail: detail() },
        AttachError::ProgramInvalid { program: "exit_accept".to_owned() },
        AttachError::Refused { detail: "locked down".to_owned() },
    ]
}

const fn no_answer(question: QuestionKind, reason: NoAnswer, count: u64) -> Note {
    Note::NoAnswer { question, reason, count }
}

const SHELL: ProcessKey = ProcessKey { start_time_ns: 70_000_000_000, pid: 4_101 };

fn not_connected(fds: u64, other_processes: u64, other_fds: u64) -> Note {
    Note::NotConnected { process: SHELL, comm: Comm("sh".into()), fds, other_processes, other_fds }
}
