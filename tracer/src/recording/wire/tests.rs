//! The layout of each version: the encoded bytes of a sample of every type.

mod sample;

use std::{any::type_name, fmt::Write as _, fs, path::PathBuf};

use serde::Serialize;

pub(in crate::recording) use self::sample::{Counter, Sample};
use super::{
    Version,
    entry::{Entry, EventEntry, LedgerEntry, ReadersEntry, SnapshotEntry},
    event::{Actor, Event, Happening},
    head::{ClockAnchor, Confidence, Head, Options},
    host::{HostFacts, Loss},
    input::Input,
    ledger::{CallSite, HttpStream, OpenResponse},
    process::{Container, Holder, ProcessFacts, ProcessKey},
    readers::{Goroutines, Held, HttpConnection, HttpStage, Reader, ReaderFacts},
    socket::{Owner, SocketFacts, TcpState, Timer},
    socket_change::{OptionalTimeDelta, SocketChange, SocketStep},
    time::Time,
    v3::{EntryV3, InputV3},
};

/// The layout of a version, which has a file of its own beside this one. It is written where it is
/// missing, and never again: a published layout does not change.
fn check_layout(version: Version, layout: &str) {
    let number = version.number();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/recording/wire");
    let path = PathBuf::from(path).join(format!("layout-v{number}.txt"));
    if !path.exists() {
        fs::write(&path, layout).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap();
    let difference = expected.lines().zip(layout.lines()).find(|(before, now)| before != now);
    assert!(
        expected == layout,
        "what format {number} writes has changed, so that programs with this number could not \
         read each other's recordings; `recording/wire.rs` says how to add a version.\n\
         First difference: {difference:#?}"
    );
}

/// A line for each sample: its type, its value as Rust shows it, and its bytes.
fn lines_of<T: Sample + Serialize + std::fmt::Debug>(layout: &mut String) {
    let name = type_name::<T>().rsplit("::").next().unwrap_or_default();
    for sample in T::samples(&mut Counter::default()) {
        let bytes = postcard::to_allocvec(&sample).unwrap();
        // The first words of the value, which name the variant.
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
fn format_4_is_what_it_was() {
    let layout = layout!(
        Entry,
        Input,
        EventEntry,
        SnapshotEntry,
        ReadersEntry,
        LedgerEntry,
        Head,
        ClockAnchor,
        Options,
        Confidence,
        HostFacts,
        Loss,
        Event,
        Happening,
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
        HttpStage,
        HttpConnection,
        ReaderFacts,
        Goroutines,
        HttpStream,
        OpenResponse,
        CallSite,
    );
    check_layout(Version::V4, &layout);
}

#[test]
fn format_3_is_what_it_was() {
    let layout = layout!(
        EntryV3,
        InputV3,
        EventEntry,
        SnapshotEntry,
        ReadersEntry,
        LedgerEntry,
        Head,
        ClockAnchor,
        Options,
        Confidence,
        HostFacts,
        Loss,
        Event,
        Happening,
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
        HttpStage,
        HttpConnection,
        ReaderFacts,
        Goroutines,
        HttpStream,
        OpenResponse,
        CallSite,
    );
    check_layout(Version::V3, &layout);
}

#[test]
fn the_version_that_is_written_is_read() {
    assert_eq!(Version::from_number(Version::CURRENT.number()), Some(Version::CURRENT));
    assert_eq!(Version::from_number(2), None);
    let entry = postcard::to_allocvec(&Entry::Reported).unwrap();
    assert_eq!(Version::CURRENT.take_entry(&entry), Some((Entry::Reported, entry.len())));
    assert_eq!(Version::CURRENT.take_entry(&[99]), None, "there is no such variant");
}
