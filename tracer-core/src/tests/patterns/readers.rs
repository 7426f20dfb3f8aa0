//! Readers that pause, servers that answer late, connections that are silent for long, and time
//! that jumps.

use std::{format, vec::Vec};

use proptest::prelude::*;

use super::{Pace, Script, any_pace, cases, check_healthy};

/// A stream that is read in parts.
#[derive(Clone, Debug)]
struct Stream {
    opened_ms: u64,
    /// Pauses before each read.
    pauses_ms: Vec<u64>,
}

/// A stream with pauses of at most this many hundredths of `--idle`.
fn stream(idle_ms: u64, pause_max: u64) -> impl Strategy<Value = Stream> {
    let pause = (1..pause_max).prop_map(move |hundredths| idle_ms * hundredths / 100);
    (0..20 * idle_ms, proptest::collection::vec(pause, 1..12))
        .prop_map(|(opened_ms, pauses_ms)| Stream { opened_ms, pauses_ms })
}

/// Readers whose pauses are shorter than `--idle`, and fewer than `--min-count` others: five that
/// stop reading one after another look like a leak until one of them resumes.
fn streams(idle_ms: u64) -> impl Strategy<Value = Vec<Stream>> {
    let brief = proptest::collection::vec(stream(idle_ms, 85), 1..25);
    let slow = proptest::collection::vec(stream(idle_ms, 400), 0..5);
    (brief, slow).prop_map(|(brief, slow)| [brief, slow].concat())
}

/// Readers that all pause at the same times, for instance because of a shared limit. No pause is
/// three times as long as an earlier one.
fn waves(idle_ms: u64) -> impl Strategy<Value = Vec<Stream>> {
    let wave = (100_u64..250, 10_u64..90)
        .prop_map(move |(pause, rest)| (idle_ms * pause / 100, idle_ms * rest / 100));
    (5_u64..40, proptest::collection::vec(wave, 1..8)).prop_map(|(count, waves)| {
        let pauses = waves.into_iter().flat_map(|(pause_ms, rest_ms)| [pause_ms, rest_ms]);
        let pauses_ms: Vec<u64> = pauses.collect();
        let one = |number| Stream { opened_ms: 10 * number, pauses_ms: pauses_ms.clone() };
        (0..count).map(one).collect()
    })
}

impl Stream {
    fn run(&self, number: usize, script: &mut Script) {
        let name = format!("r{number}");
        let mut now = self.opened_ms;
        script.at(now, format!("open {name} pid=10"));
        script.at(now, format!("send {name} bytes=100"));
        script.at(now + 20, format!("receive {name} bytes=200000"));
        for pause_ms in &self.pauses_ms {
            now += pause_ms;
            script.at(now, format!("read {name}"));
            script.at(now + 20, format!("receive {name} bytes=100000"));
        }
        script.at(now + 40, format!("close {name}"));
    }
}

/// A server's request, which ends with EOF, with the time that the response takes.
fn requests(idle_ms: u64) -> impl Strategy<Value = Vec<(u64, u64, bool)>> {
    let request =
        (0_u64..3_000, 1_u64..500, any::<bool>()).prop_map(move |(at, works, closes_first)| {
            (idle_ms * at / 100, idle_ms * works / 100, closes_first)
        });
    proptest::collection::vec(request, 1..60)
}

/// Connections of a database pool: used now and then, for hours, and never closed.
fn sessions(idle_ms: u64) -> impl Strategy<Value = Vec<Vec<u64>>> {
    let pause = (10_u64..5_000).prop_map(move |hundredths| idle_ms * hundredths / 100);
    proptest::collection::vec(proptest::collection::vec(pause, 1..8), 1..30)
}

/// The requests of a server: when each client connects, when it resets its connection, if it gives up,
/// and how long the server works on the request nevertheless.
fn given_up(idle_ms: u64) -> impl Strategy<Value = Vec<(u64, Option<u64>, u64)>> {
    let waiting = (0_u64..3_000, 50_u64..400)
        .prop_map(move |(at, works)| (idle_ms * at / 100, None, idle_ms * works / 100));
    let waiting = proptest::collection::vec(waiting, 0..60);
    let given_up = (10_u64..40, 100_u64..250, 1_u64..8, 40_u64..90, 30_u64..90);
    (waiting, given_up).prop_map(move |(waiting, (every, works, clients, count, waits))| {
        let one = |number: u64| {
            let at = number / clients * idle_ms * every / 100 + 70 * (number % clients);
            let works_ms = idle_ms * works / 100;
            (at, Some(works_ms * waits / 100), works_ms)
        };
        waiting.into_iter().chain((0..count * clients).map(one)).collect()
    })
}

fn with_pace<T: std::fmt::Debug, S: Strategy<Value = T>>(
    of: impl Fn(u64) -> S + 'static,
) -> impl Strategy<Value = (Pace, T)> {
    any_pace().prop_flat_map(move |pace| (Just(pace), of(pace.idle_ms)))
}

/// No reader is flagged.
fn check_readers(streams: &[Stream], pace: Pace) -> Result<(), TestCaseError> {
    let mut script = Script::default();
    for (number, stream) in streams.iter().enumerate() {
        stream.run(number, &mut script);
    }
    check_healthy(&script, pace)
}

proptest! {
    #![proptest_config(cases(12))]

    #[test]
    fn a_server_that_works_on_half_closed_requests_is_never_flagged(
        (pace, requests) in with_pace(requests),
    ) {
        let mut script = Script::default();
        for (number, (at, works_ms, closes_first)) in requests.iter().enumerate() {
            let name = format!("q{number}");
            script.at(*at, format!("accept {name} pid=10"));
            script.at(at + 10, format!("receive {name} bytes=500"));
            script.at(at + 20, format!("read {name}"));
            if *closes_first {
                script.at(at + 30, format!("peer-closes {name}"));
                script.at(at + 40, format!("read {name}"));
            }
            script.at(at + 50 + works_ms, format!("send {name} bytes=900"));
            script.at(at + 60 + works_ms, format!("close {name}"));
        }
        check_healthy(&script, pace)?;
    }

    #[test]
    fn a_server_that_works_on_requests_of_clients_that_gave_up_is_never_flagged(
        (pace, clients) in with_pace(given_up),
    ) {
        let mut script = Script::default();
        for (number, (at, waits_ms, works_ms)) in clients.iter().enumerate() {
            let name = format!("g{number}");
            script.at(*at, format!("accept {name} pid=10"));
            script.at(at + 10, format!("receive {name} bytes=500"));
            script.at(at + 20, format!("read {name}"));
            if let Some(waits_ms) = waits_ms {
                script.at(at + 20 + waits_ms, format!("peer-resets {name}"));
            }
            script.at(at + 30 + works_ms, format!("close {name}"));
        }
        check_healthy(&script, pace)?;
    }

    #[test]
    fn connections_that_are_silent_for_long_are_never_flagged(
        (pace, sessions) in with_pace(sessions),
        jump_s in prop_oneof![Just(0_u64), 60_u64..20_000],
    ) {
        let mut script = Script::default();
        let jumps_ms = 3 * pace.idle_ms;
        for (number, pauses) in sessions.iter().enumerate() {
            let name = format!("s{number}");
            let mut now = 100 * u64::try_from(number).unwrap();
            script.at(now, format!("open {name} pid=10"));
            for pause_ms in pauses {
                now += pause_ms;
                // The host was suspended.
                let at = if now > jumps_ms { now + jump_s * 1_000 } else { now };
                script.at(at, format!("send {name} bytes=100"));
                script.at(at + 20, format!("receive {name} bytes=5000"));
                script.at(at + 30, format!("read {name}"));
            }
        }
        let end = script.end_ms();
        let far_apart = Pace { every_ms: pace.every_ms.max(end / 400), ..pace };
        check_healthy(&script, far_apart)?;
    }

    #[test]
    fn readers_that_pause_are_never_flagged((pace, streams) in with_pace(streams)) {
        check_readers(&streams, pace)?;
    }

    #[test]
    fn readers_that_pause_in_waves_are_never_flagged((pace, streams) in with_pace(waves)) {
        check_readers(&streams, pace)?;
    }
}
