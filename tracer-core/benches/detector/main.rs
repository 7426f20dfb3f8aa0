//! The cost of one input to the detector: its time, measured by criterion, and its number of
//! allocations.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on fails")]
#![expect(clippy::print_stdout, reason = "a benchmark talks to a terminal")]

#[path = "host.rs"]
mod host;

use std::{alloc::System, hint::black_box};

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use tracer_core::{Detector, Input, Options, SocketFacts, Timestamp};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const NOW_MS: u64 = 100_000_000;
const SIZES: [u64; 2] = [1_000, 10_000];

/// `count` connections of ten processes that have been idle for a long time.
fn idle(count: u64) -> Vec<SocketFacts> {
    let process = |id| host::process(id % 10, 1_000);
    (1..=count).map(|id| host::connection(id, process(id), 50_000_000 + id)).collect()
}

/// A detector that has seen these connections.
fn seen(connections: &[SocketFacts]) -> Detector {
    let mut detector = Detector::new(Options::default());
    detector.handle(Input::Snapshot(host::snapshot(connections, NOW_MS)));
    detector.handle(Input::Tick(Timestamp::from_ms(NOW_MS)));
    detector
}

fn snapshots(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("snapshot");
    for count in SIZES {
        let connections = idle(count);
        let mut detector = seen(&connections);
        let mut now_ms = NOW_MS;
        group.throughput(Throughput::Elements(count));
        group.bench_function(BenchmarkId::new("snapshot", count), |bencher| {
            let next = || {
                now_ms += 1_000;
                host::snapshot(&connections, now_ms)
            };
            let handle = |snapshot| detector.handle(Input::Snapshot(snapshot));
            bencher.iter_batched(next, handle, BatchSize::LargeInput);
        });
        let now = Timestamp::from_ms(now_ms);
        group.bench_function(BenchmarkId::new("questions", count), |bencher| {
            bencher.iter(|| black_box(detector.questions(now)));
        });
        group.bench_function(BenchmarkId::new("judgment", count), |bencher| {
            bencher.iter(|| detector.handle(Input::Tick(now)));
        });
    }
    group.finish();
}

fn events(criterion: &mut Criterion) {
    let mut detector = seen(&idle(10_000));
    let mut id = 1_000_000;
    let mut next = || {
        id += 1;
        host::short_lived(id, host::process(1, 1_000), NOW_MS).map(Input::Event)
    };
    let region = Region::new(ALLOCATOR);
    let inputs = next();
    let made = region.change().allocations;
    for input in inputs {
        detector.handle(input);
    }
    let handled = region.change().allocations - made;
    println!("a short-lived connection: 4 inputs, {handled} allocations");
    let mut group = criterion.benchmark_group("event");
    group.throughput(Throughput::Elements(4));
    group.bench_function("a short-lived connection", |bencher| {
        let handle = |inputs: [Input; 4]| inputs.into_iter().for_each(|it| detector.handle(it));
        bencher.iter_batched(&mut next, handle, BatchSize::SmallInput);
    });
    group.finish();
}

criterion_group!(benches, snapshots, events);
criterion_main!(benches);
