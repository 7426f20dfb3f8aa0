//! Processes that are stopped and resumed at any time.

use std::{format, string::String, vec::Vec};

use proptest::prelude::*;

use super::{
    Pace, Script, any_pace, cases, check_healthy,
    pools::{Job, Phase, Pool, jobs, phase, pool},
};

/// The steps that the process itself takes.
const OWN: [&str; 6] = ["open", "accept", "send", "read", "close", "shutdown"];

/// Delays what the process does while it is stopped until it is resumed.
pub(super) fn stopped(script: &Script, stops_ms: &[(u64, u64)]) -> Script {
    let mut steps = script.steps.clone();
    steps.sort_by_key(|(at_ms, _)| *at_ms);
    let mut stopped = Script::default();
    for (stop_ms, resume_ms) in stops_ms {
        stopped.at(*stop_ms, "stop pid=10");
        stopped.at(*resume_ms, "resume pid=10");
    }
    // What follows a delayed step of a connection follows it still.
    let mut late = 0;
    let mut delayed: Vec<(u64, String)> = Vec::new();
    for (at_ms, step) in steps {
        let verb = step.split(' ').next().unwrap_or_default();
        let window = stops_ms.iter().find(|(from, to)| (*from..*to).contains(&at_ms));
        if let Some((_, resume_ms)) = window.filter(|_| OWN.contains(&verb)) {
            late += 1;
            delayed.push((resume_ms + 1 + late / 4, step));
        } else {
            delayed.push((at_ms, step));
        }
    }
    stopped.steps.extend(delayed);
    stopped
}

fn stops(idle_ms: u64) -> impl Strategy<Value = Vec<(u64, u64)>> {
    let stop = (0_u64..1_000, 10_u64..500)
        .prop_map(move |(after, lasts)| (idle_ms * after / 100, idle_ms * lasts / 100));
    proptest::collection::vec(stop, 1..4).prop_map(|stops| {
        let mut now = 0;
        let mut windows = Vec::new();
        for (after_ms, lasts_ms) in stops {
            windows.push((now + after_ms, now + after_ms + lasts_ms));
            now += after_ms + lasts_ms + 1_000;
        }
        windows
    })
}

fn stopped_pool() -> impl Strategy<Value = (Pace, Pool, Vec<Phase>, Vec<(u64, u64)>)> {
    any_pace().prop_flat_map(|pace| {
        let phases = proptest::collection::vec(phase(pace.idle_ms), 1..8);
        (Just(pace), pool(pace.idle_ms), phases, stops(pace.idle_ms))
    })
}

/// Clients of a server that come and go, which close first.
fn clients(idle_ms: u64) -> impl Strategy<Value = Vec<(u64, u64)>> {
    let client = (0_u64..2_000, 10_u64..300)
        .prop_map(move |(at, lasts)| (idle_ms * at / 100, idle_ms * lasts / 100));
    proptest::collection::vec(client, 1..60)
}

proptest! {
    #![proptest_config(cases(12))]

    #[test]
    fn a_server_that_is_stopped_is_never_flagged(
        (pace, clients, stops) in any_pace().prop_flat_map(|pace| {
            (Just(pace), clients(pace.idle_ms), stops(pace.idle_ms))
        }),
    ) {
        let mut script = Script::default();
        for (number, (at, lasts_ms)) in clients.iter().enumerate() {
            let name = format!("c{number}");
            script.at(*at, format!("accept {name} pid=10"));
            script.at(at + 10, format!("receive {name} bytes=500"));
            script.at(at + 20, format!("read {name}"));
            script.at(at + 30, format!("send {name} bytes=500"));
            script.at(at + lasts_ms, format!("peer-closes {name}"));
            script.at(at + lasts_ms + 5, format!("read {name}"));
            script.at(at + lasts_ms + 10, format!("close {name}"));
        }
        check_healthy(&stopped(&script, &stops), pace)?;
    }

    #[test]
    fn a_pool_that_is_stopped_is_never_flagged((pace, pool, phases, stops) in stopped_pool()) {
        // The jobs of the time in which it is stopped are done at once when it resumes.
        let (jobs, _) = jobs(&phases);
        let delayed = jobs.into_iter().map(|job| {
            let window = stops.iter().find(|(from, to)| (*from..*to).contains(&job.at_ms));
            Job { at_ms: window.map_or(job.at_ms, |(_, to)| *to + 1), ..job }
        });
        let mut delayed: Vec<Job> = delayed.collect();
        delayed.sort_unstable();
        let mut script = pool.run("p", &delayed);
        for (stop_ms, resume_ms) in stops {
            script.at(stop_ms, "stop pid=10");
            script.at(resume_ms, "resume pid=10");
        }
        check_healthy(&script, pace)?;
    }
}
