//! The layout of each version: the encoded bytes of a sample of every type.

mod sample;

use std::{
    any::type_name,
    collections::HashSet,
    fmt::{Debug, Write as _},
    fs,
    path::PathBuf,
};

use serde::{Serialize, de::DeserializeOwned};

pub(in crate::recording) use self::sample::{Counter, Sample};
use super::{
    Version, Wire,
    call_site_reason::CallSiteReason,
    entry::{Entry, EventEntry, LastRead, LedgerEntry, ReadersEntry, SnapshotEntry},
    event::{Actor, Event, EventKind},
    head::{ClockAnchor, Confidence, Head, Options},
    host::{HostFacts, Loss},
    input::Input,
    ledger::{CallSite, HttpStream, OpenResponse},
    limit::{AccessError, Limit},
    note::Note,
    probe::{AttachError, AttachFailure, AttachMethod, AttachState, FallbackReason, Hook, Probe},
    process::{Container, Holder, ProcessFacts, ProcessKey},
    question::{NoAnswer, QuestionKind, Subject},
    readers::{
        Goroutines, Held, HolderKind, HttpConnection, HttpStage, Reader, ReaderFacts,
        ResponseHolder,
    },
    selection::Selection,
    socket::{Owner, SocketFacts, TcpState, Timer},
    socket_change::{OptionalTimeDelta, SocketChange, SocketStep},
    time::Time,
    v3::{
        CallSiteV3, EntryV3, HostFactsV3, InputV3, LedgerEntryV3, ProcessFactsV3, ReadersEntryV3,
    },
};

/// The layout of a version is in a file next to this one. The file is written if it is missing, and
/// never changed afterwards, because a published layout does not change. Versions whose types are
/// still in use may have gained variants.
fn check_layout(version: Version, layout: &str) {
    let number = version.number();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/recording/wire");
    let path = PathBuf::from(path).join(format!("layout-v{number}.txt"));
    if !path.exists() {
        fs::write(&path, layout).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap();
    let lines: HashSet<&str> = layout.lines().collect();
    let missing = expected.lines().find(|line| !lines.contains(line));
    let is_more = version == Version::CURRENT && expected.lines().count() < lines.len();
    assert!(
        missing.is_none() && !is_more,
        "what format {number} writes has changed, so programs with this number could not read each \
         other's recordings; `recording/wire.rs` says how to add a version. Missing: {missing:?}"
    );
}

/// A line for each sample: its type, the name of its variant, and its bytes, which are read back.
fn lines_of<T>(layout: &mut String)
where
    T: Sample + Serialize + DeserializeOwned + PartialEq + Debug,
{
    let name = type_name::<T>().rsplit("::").next().unwrap_or_default();
    for sample in T::samples(&mut Counter::default()) {
        let bytes = postcard::to_allocvec(&sample).unwrap();
        assert_eq!(postcard::from_bytes::<T>(&bytes).as_ref(), Ok(&sample));
        let shown = format!("{sample:?}");
        let variant = shown.split([' ', '(', '{']).next().unwrap_or_default();
        let variant = if variant == name { "" } else { variant };
        write!(layout, "{name} {variant}: ").unwrap();
        for byte in bytes {
            write!(layout, "{byte:02x}").unwrap();
        }
        layout.push('\n');
    }
}

macro_rules! layout {
    ($($type:ty),* $(,)?) => {{
        let mut layout = String::new();
        $(lines_of::<$type>(&mut layout);)*
        layout
    }};
}

#[test]
fn formats_4_to_10_are_what_they_were() {
    let layout = layout!(
        Entry,
        Input,
        EventEntry,
        SnapshotEntry,
        LastRead,
        ReadersEntry,
        LedgerEntry,
        Head,
        ClockAnchor,
        Options,
        Confidence,
        HostFacts,
        Loss,
        Event,
        EventKind,
        Actor,
        ProcessKey,
        ProcessFacts,
        Container,
        Holder,
        Owner,
        SocketFacts,
        TcpState,
        Timer,
        SocketStep,
        SocketChange,
        OptionalTimeDelta,
        Time,
        Reader,
        Held,
        HolderKind,
        ResponseHolder,
        HttpStage,
        HttpConnection,
        ReaderFacts,
        Goroutines,
        HttpStream,
        OpenResponse,
        CallSite,
        CallSiteReason,
        Limit,
        AccessError,
        Note,
        Probe,
        Hook,
        AttachState,
        AttachMethod,
        AttachFailure,
        AttachError,
        FallbackReason,
        QuestionKind,
        NoAnswer,
        Subject,
        Selection,
    );
    check_layout(Version::V4, &layout);
    check_layout(Version::V5, &layout);
    check_layout(Version::V6, &layout);
    check_layout(Version::V7, &layout);
    check_layout(Version::V8, &layout);
    check_layout(Version::V9, &layout);
    check_layout(Version::V10, &layout);
}

#[test]
fn format_3_is_what_it_was() {
    let layout = layout!(
        EntryV3,
        InputV3,
        EventEntry,
        SnapshotEntry,
        ReadersEntryV3,
        LedgerEntryV3,
        Head,
        ClockAnchor,
        Options,
        Confidence,
        HostFactsV3,
        Loss,
        Event,
        EventKind,
        Actor,
        ProcessKey,
        ProcessFactsV3,
        Container,
        Holder,
        Owner,
        SocketFacts,
        TcpState,
        Timer,
        SocketStep,
        SocketChange,
        OptionalTimeDelta,
        Time,
        Reader,
        Held,
        HttpStage,
        HttpConnection,
        ReaderFacts,
        Goroutines,
        HttpStream,
        OpenResponse,
        CallSiteV3,
    );
    check_layout(Version::V3, &layout);
}

fn assert_mirrors<T: Sample + Wire + PartialEq + Debug>() {
    for sample in T::samples(&mut Counter::default()) {
        assert_eq!(T::from_core(&sample.to_core()), sample);
    }
}

/// Every variant, those of nested types by their own line.
#[test]
fn what_is_written_is_what_the_judge_received() {
    macro_rules! mirrors {
        ($($type:ty),* $(,)?) => { $(assert_mirrors::<$type>();)* };
    }
    mirrors!(
        Head,
        ClockAnchor,
        Options,
        Confidence,
        HostFacts,
        Loss,
        Event,
        EventKind,
        Actor,
        ProcessKey,
        ProcessFacts,
        Container,
        Holder,
        Owner,
        SocketFacts,
        TcpState,
        Timer,
        Time,
        Reader,
        Held,
        HolderKind,
        ResponseHolder,
        HttpStage,
        HttpConnection,
        ReaderFacts,
        Goroutines,
        HttpStream,
        OpenResponse,
        CallSite,
        CallSiteReason,
        Limit,
        AccessError,
        Note,
        Probe,
        Hook,
        AttachState,
        AttachMethod,
        AttachFailure,
        AttachError,
        FallbackReason,
        QuestionKind,
        NoAnswer,
        Subject,
    );
}

#[test]
fn the_version_that_is_written_is_read() {
    assert_eq!(Version::from_number(Version::CURRENT.number()), Some(Version::CURRENT));
    assert_eq!(Version::from_number(2), None);
    let entry = postcard::to_allocvec(&Entry::Reported).unwrap();
    assert_eq!(Version::CURRENT.take_entry(&entry), Some((Entry::Reported, entry.len())));
    assert_eq!(Version::CURRENT.take_entry(&[99]), None, "there is no such variant");
}
