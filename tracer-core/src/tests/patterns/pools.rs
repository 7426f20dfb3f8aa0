//! Pools of connections under any load, before a server that closes idle connections.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap, VecDeque},
    format,
    vec::Vec,
};

use proptest::prelude::*;

use super::{Pace, Script, any_pace, cases, check_healthy};

/// Which idle connection is used next.
#[derive(Clone, Copy, Debug)]
pub(super) enum Reuse {
    /// The one that was returned last.
    Last,
    /// The one that was returned first.
    First,
}

/// How the connections of a pool end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pool {
    pub(super) reuse: Reuse,
    /// The server closes a connection that has been idle for this long.
    pub(super) keep_ms: u64,
    /// The server resets it instead.
    pub(super) is_reset: bool,
    /// Data segments of a request: more with TLS or large requests.
    pub(super) segments: u64,
    /// The pool closes dead connections that have been idle for longer than the second time at
    /// intervals of the first.
    pub(super) sweep_ms: Option<(u64, u64)>,
}

/// One use of a connection: from, and for how long, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Job {
    pub(super) at_ms: u64,
    pub(super) hold_ms: u64,
    /// The connection is not returned.
    pub(super) leaks: bool,
}

/// A part of the load.
#[derive(Clone, Debug)]
pub(super) enum Phase {
    /// Several jobs at once.
    Burst {
        depth: u64,
        hold_ms: u64,
        spread_ms: u64,
    },
    /// One job after another.
    Trickle {
        count: u64,
        every_ms: u64,
        hold_ms: u64,
    },
    /// Jobs that begin together and end one after another.
    FanOut {
        depth: u64,
        apart_ms: u64,
    },
    /// Jobs that begin one after another and end together.
    FanIn {
        depth: u64,
        apart_ms: u64,
    },
    Pause {
        for_ms: u64,
    },
}

pub(super) fn phase(idle_ms: u64) -> impl Strategy<Value = Phase> {
    let some = move |least: u64, most: u64| {
        (least..most).prop_map(move |hundredths| idle_ms * hundredths / 100)
    };
    prop_oneof![
        3 => (1_u64..60, some(1, 60), some(0, 30)).prop_map(|(depth, hold_ms, spread_ms)| {
            Phase::Burst { depth, hold_ms, spread_ms }
        }),
        3 => (1_u64..20, some(3, 300), some(1, 60)).prop_map(|(count, every_ms, hold_ms)| {
            Phase::Trickle { count, every_ms, hold_ms }
        }),
        2 => (2_u64..50, some(2, 60)).prop_map(|(depth, apart_ms)| {
            Phase::FanOut { depth, apart_ms }
        }),
        2 => (2_u64..50, some(2, 60)).prop_map(|(depth, apart_ms)| {
            Phase::FanIn { depth, apart_ms }
        }),
        2 => some(20, 1_000).prop_map(|for_ms| Phase::Pause { for_ms }),
    ]
}

/// The jobs of these phases, each of which begins when the one before has ended, and the time at
/// which the last one ends.
pub(super) fn jobs(phases: &[Phase]) -> (Vec<Job>, u64) {
    let (mut jobs, mut now) = (Vec::new(), 1_000);
    for phase in phases {
        let mut end = now;
        let mut add = |at_ms: u64, hold_ms: u64| {
            end = end.max(at_ms + hold_ms);
            jobs.push(Job { at_ms, hold_ms, leaks: false });
        };
        match *phase {
            Phase::Burst { depth, hold_ms, spread_ms } => (0..depth).for_each(|number| {
                add(now + spread_ms * number / depth, hold_ms + 7 * number % 50);
            }),
            Phase::Trickle { count, every_ms, hold_ms } => {
                (0..count).for_each(|number| add(now + number * every_ms, hold_ms));
            }
            Phase::FanOut { depth, apart_ms } => {
                (0..depth).for_each(|number| add(now + number, (number + 1) * apart_ms));
            }
            Phase::FanIn { depth, apart_ms } => {
                let end_ms = depth * apart_ms;
                (0..depth)
                    .for_each(|number| add(now + number * apart_ms, end_ms - number * apart_ms));
            }
            Phase::Pause { for_ms } => end = now + for_ms,
        }
        now = end + 100;
    }
    jobs.sort_unstable();
    (jobs, now)
}

impl Pool {
    /// What the pool does with these jobs. Names begin with `name`.
    pub(super) fn run(self, name: &str, jobs: &[Job]) -> Script {
        let mut script = Script::default();
        // When each idle connection was returned, in this order.
        let mut idle: VecDeque<(u64, u64)> = VecDeque::new();
        let mut busy: BinaryHeap<Reverse<(u64, u64)>> = BinaryHeap::new();
        let (mut opened, mut swept_ms) = (0, 0);
        let mut closed: BTreeMap<u64, u64> = BTreeMap::new();
        let end_ms = jobs.last().map_or(0, |job| job.at_ms);
        for job in jobs {
            let now = job.at_ms;
            while let Some(Reverse((at_ms, number))) = busy.pop() {
                if at_ms > now {
                    busy.push(Reverse((at_ms, number)));
                    break;
                }
                idle.push_back((at_ms, number));
            }
            if let Some((every_ms, age_ms)) = self.sweep_ms {
                while swept_ms + every_ms <= now {
                    swept_ms += every_ms;
                    idle.retain(|(at_ms, number)| {
                        let is_old = at_ms + age_ms.max(self.keep_ms) < swept_ms;
                        if is_old {
                            closed.insert(*number, *at_ms);
                            script.at(swept_ms, format!("close {name}{number}"));
                        }
                        !is_old
                    });
                }
            }
            let taken = match self.reuse {
                Reuse::Last => idle.pop_back(),
                Reuse::First => idle.pop_front(),
            };
            let alive = taken.filter(|(at_ms, _)| at_ms + self.keep_ms > now);
            if let (Some((at_ms, dead)), None) = (taken, alive) {
                closed.insert(dead, at_ms);
                script.at(now, format!("close {name}{dead}"));
            }
            let number = alive.map_or_else(
                || {
                    opened += 1;
                    script.at(now, format!("open {name}{opened} pid=10"));
                    opened
                },
                |(_, number)| number,
            );
            let until = now + job.hold_ms;
            for _ in 0..self.segments {
                script.at(now, format!("send {name}{number} bytes=100"));
            }
            script.at(until, format!("receive {name}{number} bytes=500"));
            script.at(until, format!("read {name}{number}"));
            if job.leaks {
                script.leaked.insert(format!("{name}{number}"));
                self.die(&mut script, name, number, until);
            } else {
                busy.push(Reverse((until, number)));
            }
        }
        idle.extend(busy.into_iter().map(|Reverse(returned)| returned));
        for (at_ms, number) in idle {
            self.die(&mut script, name, number, at_ms);
        }
        for (number, at_ms) in closed {
            self.die(&mut script, name, number, at_ms);
        }
        let _ = end_ms;
        script
    }

    /// The server closes a connection that was last used at `at_ms`.
    fn die(self, script: &mut Script, name: &str, number: u64, at_ms: u64) {
        let end = if self.is_reset { "peer-resets" } else { "peer-closes" };
        script.at(at_ms + self.keep_ms, format!("{end} {name}{number}"));
    }
}

pub(super) fn pool(idle_ms: u64) -> impl Strategy<Value = Pool> {
    let reuse = prop_oneof![3 => Just(Reuse::Last), 1 => Just(Reuse::First)];
    let sweep = prop_oneof![
        3 => Just(None),
        1 => (10_u64..80, 10_u64..100).prop_map(move |(every, age)| {
            Some((idle_ms * every / 100, idle_ms * age / 100))
        }),
    ];
    let segments = prop_oneof![3 => Just(1_u64), 1 => Just(6)];
    (reuse, 5_u64..200, any::<bool>(), segments, sweep).prop_map(
        move |(reuse, keep, is_reset, segments, sweep_ms)| Pool {
            reuse,
            keep_ms: idle_ms * keep / 100,
            is_reset,
            segments,
            sweep_ms,
        },
    )
}

/// A pool under any load.
fn used_pool() -> impl Strategy<Value = (Pace, Pool, Vec<Phase>)> {
    any_pace().prop_flat_map(|pace| {
        let phases = proptest::collection::vec(phase(pace.idle_ms), 1..14);
        (Just(pace), pool(pace.idle_ms), phases)
    })
}

proptest! {
    #![proptest_config(cases(12))]

    #[test]
    fn a_pool_is_never_flagged((pace, pool, phases) in used_pool()) {
        let (jobs, _) = jobs(&phases);
        check_healthy(&pool.run("p", &jobs), pace)?;
    }
}
