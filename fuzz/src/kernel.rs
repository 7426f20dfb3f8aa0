//! Records from the kernel and the BPF programs, and the kernel's type information.

use std::collections::BTreeSet;

use tracer::collect::{
    filter::Filter,
    kernel::{btf::Btf, iterator::read_records},
    snapshot_builder::SnapshotBuilder,
};
use tracer_common::EventRecord;
use tracer_core::{
    Detector, Input, Options, Timestamp,
    decode::{self, KernelConstants},
};

/// Size of the reads from the kernel's file, in bytes.
const READ_BYTES: usize = 1_000;
const CONSTANTS: KernelConstants = KernelConstants { jiffies_per_second: 250, fin_flag: 2 };

/// Events of the ring buffer, one after the other.
pub fn ring_records(bytes: &[u8]) {
    let records =
        bytes.chunks(size_of::<EventRecord>()).map(|bytes| decode::event(bytes, |_| None));
    let events: Vec<_> = records.filter_map(Result::ok).collect();
    let last = events.iter().map(|event| event.at).max().unwrap_or_default();
    judge(events.into_iter().map(Input::Event), last);
}

/// What the iterator writes.
pub fn iterator_stream(mut bytes: &[u8]) {
    let mut builder = SnapshotBuilder::new(Timestamp::from_ms(1_000_000));
    let mut add = |record: &_| builder.add(record, CONSTANTS);
    let Ok(stats) = read_records(&mut bytes, READ_BYTES, &mut add) else { return };
    let ended_at = Timestamp::from_ms(1_000_010);
    let filter = Filter::default();
    let snapshot = builder.finish(ended_at, stats.truncated, &filter, |_| true, &BTreeSet::new());
    let later = Timestamp::from_ms(2_000_000);
    judge([Input::Snapshot(snapshot.clone()), Input::Snapshot(snapshot)], later);
}

/// Type information of the kernel.
pub fn types(bytes: &[u8]) {
    let Ok(btf) = Btf::parse(bytes) else { return };
    for field in ["a", "state", "__sk_common.skc_state", "numbers[1].nr", "a[0]", "inner.deep"] {
        for structure in ["sock", "sample", "outer", "task_struct"] {
            let _ = btf.offset(structure, field);
        }
    }
    let _ = btf.enumerator("sock_flags", "SOCK_DONE");
}

/// Feeds inputs to the detector whose values are arbitrary.
fn judge(inputs: impl IntoIterator<Item = Input>, now: Timestamp) {
    let mut detector = Detector::new(Options::default());
    for input in inputs {
        detector.handle(input);
    }
    detector.questions(now);
    detector.handle(Input::Tick(now));
    drop(detector.report());
}
