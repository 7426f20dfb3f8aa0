//! A week of inputs: memory use does not grow, and the findings stay the same.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "../../benches/detector/host.rs"]
mod host;

use std::alloc::System;

use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use tracer_core::{
    Detector, Input, Options, ProcessFacts, ProcessKey, Question, SocketFacts, Timestamp,
};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const MS_PER_HOUR: u64 = 3_600_000;
/// Longer than the interval of a real run, so that the test is fast.
const SNAPSHOT_MS: u64 = 60_000;
const DAYS: u64 = 7;
const BEGIN_MS: u64 = 100 * MS_PER_HOUR;

/// A program that leaks, one that is restarted every hour and leaks each time, and short-lived
/// connections, each of another process.
struct Week {
    detector: Detector,
    connections: Vec<SocketFacts>,
    now_ms: u64,
    numbered: u64,
}

impl Week {
    fn new() -> Self {
        let leaky = host::process(0, 1_000);
        let used_ms = |id| BEGIN_MS - 10 * MS_PER_HOUR + id * 60_000;
        let connections = (1..=30).map(|id| unread(id * 50, leaky, used_ms(id)));
        let connections = connections.collect();
        // Retracted findings are listed for a day.
        let detector = Detector::new(Options { retracted_max: 24, ..Options::default() });
        Self { detector, connections, now_ms: BEGIN_MS, numbered: 10_000 }
    }

    fn run_until(&mut self, until_ms: u64) {
        while self.now_ms < until_ms {
            self.now_ms += SNAPSHOT_MS;
            self.numbered += 1;
            let key = host::process(self.numbered, self.now_ms - SNAPSHOT_MS);
            for event in host::short_lived(self.numbered, key, self.now_ms - 1) {
                self.detector.handle(Input::Event(event));
            }
            if self.now_ms.is_multiple_of(MS_PER_HOUR) {
                self.restart();
            }
            let snapshot = host::snapshot(&self.connections, self.now_ms);
            self.detector.handle(Input::Snapshot(snapshot));
            let now = Timestamp::from_ms(self.now_ms);
            for question in self.detector.questions(now) {
                // Readers are unknown.
                if let Question::Process(key) = question {
                    self.detector.handle(Input::Process(facts(key)));
                }
            }
            self.detector.handle(Input::Tick(now));
            drop(self.detector.take_changes());
        }
    }

    /// The restarted program loses its connections and opens others.
    fn restart(&mut self) {
        self.connections.truncate(30);
        let key = host::process(1, self.now_ms - SNAPSHOT_MS);
        for number in 0..20 {
            self.numbered += 1;
            let id = self.numbered * 50 + number;
            self.connections.push(unread(id, key, self.now_ms));
        }
    }

    /// The finding about the permanent leak: its number, the number of connections, and how long it
    /// has been active, in seconds.
    fn leak(&self) -> (u64, usize, u64) {
        let report = self.detector.report();
        let leaks = report.findings.iter().filter(|it| it.process.pid == 2_000);
        let leaks: Vec<_> = leaks.filter(|it| it.retracted_at.is_none()).collect();
        let [leak] = leaks[..] else { panic!("one leak, not {leaks:#?}") };
        (leak.id, leak.count, leak.active_ms / 1_000)
    }
}

/// A connection with an unread response.
fn unread(id: u64, key: ProcessKey, used_ms: u64) -> SocketFacts {
    let facts = host::connection(id, key, used_ms);
    SocketFacts { unread_bytes: 10_000, drained: false, ..facts }
}

/// The facts from `/proc`, the same for each process.
fn facts(key: ProcessKey) -> ProcessFacts {
    ProcessFacts {
        key,
        exe: Some("/usr/bin/api".to_owned()),
        cmdline: None,
        script: None,
        uid: Some(1_000),
        container: None,
        inner_pid: None,
        open_fds: Some(100),
        fd_limit: Some(1_024),
        stopped: false,
        has_executed: Some(true),
    }
}

fn kept_bytes() -> usize {
    let stats = ALLOCATOR.stats();
    stats.bytes_allocated - stats.bytes_deallocated
}

#[test]
fn a_week_leaves_no_more_than_two_days() {
    let mut week = Week::new();
    let day = |number: u64| BEGIN_MS + number * 24 * MS_PER_HOUR;
    week.run_until(day(2));
    let (early, early_leak) = (kept_bytes(), week.leak());
    week.run_until(day(DAYS));
    let (late, late_leak) = (kept_bytes(), week.leak());
    assert!(late <= early + early / 10, "{early} bytes after two days, {late} after a week");
    assert_eq!((late_leak.0, late_leak.1), (early_leak.0, early_leak.1));
    let days_s = (DAYS - 2) * 24 * 3_600;
    assert_eq!(late_leak.2 - early_leak.2, days_s, "it has been active throughout");
}
