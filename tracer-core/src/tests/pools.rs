//! Pools that reuse the connection that was returned last, under bursts of load, with a server that
//! closes idle connections; and leaks that look like them.

use std::{fmt::Write as _, format, string::String, vec::Vec};

use super::watched::{check_healthy, check_leaking, watch};

/// The server closes a connection that has been idle for this long.
const KEEP_ALIVE_S: u64 = 5;

/// Bursts of load: for each, its time in seconds, and the number of connections it uses at the same
/// time.
struct Bursts(Vec<(u64, usize)>);

impl Bursts {
    /// `count` bursts, `distance_s` apart, which use the numbers of connections in `depths`,
    /// cyclically.
    fn every(distance_s: u64, count: u64, depths: &[usize]) -> Self {
        let depths = depths.iter().copied().cycle();
        Self((0..count).map(|number| 1 + number * distance_s).zip(depths).collect())
    }

    /// The timeline of a pool that reuses the connection that was returned last, and replaces dead
    /// ones.
    fn last_in_first_out(&self) -> String {
        let (mut timeline, mut opened) = (String::new(), 0);
        let mut pool: Vec<usize> = Vec::new();
        for (at_s, depth) in &self.0 {
            let mut busy = Vec::new();
            for _ in 0..*depth {
                // The server has closed it since the previous burst, which was at least ten seconds
                // ago.
                if let Some(dead) = pool.pop() {
                    writeln!(timeline, "{at_s}s close p{dead}").unwrap();
                }
                opened += 1;
                busy.push(opened);
                exchange(&mut timeline, *at_s, &format!("p{opened}"));
            }
            pool.extend(busy);
        }
        timeline
    }

    /// The same pool, of which a connection is taken every `leak_every_s` seconds and never
    /// returned, `leaks` times.
    fn last_in_first_out_with_leaks(&self, leaks: u64, leak_every_s: u64) -> String {
        let (mut timeline, mut opened) = (String::new(), 0);
        let mut pool: Vec<usize> = Vec::new();
        let taken = (1..=leaks).map(|number| (number * leak_every_s, None));
        let bursts = self.0.iter().map(|(at_s, depth)| (*at_s, Some(*depth)));
        let mut uses: Vec<(u64, Option<usize>)> = taken.chain(bursts).collect();
        uses.sort_unstable();
        for (at_s, depth) in uses {
            let mut busy = Vec::new();
            for _ in 0..depth.unwrap_or(1) {
                if let Some(dead) = pool.pop() {
                    writeln!(timeline, "{at_s}s close p{dead}").unwrap();
                }
                opened += 1;
                busy.push(opened);
                exchange(&mut timeline, at_s, &format!("p{opened}"));
            }
            if depth.is_some() {
                pool.extend(busy);
            }
        }
        timeline
    }

    /// The timeline of a client that keeps every connection.
    fn all_kept(&self) -> String {
        let (mut timeline, mut opened) = (String::new(), 0);
        for (at_s, depth) in &self.0 {
            for _ in 0..*depth {
                opened += 1;
                exchange(&mut timeline, *at_s, &format!("k{opened}"));
            }
        }
        timeline
    }

    fn end_s(&self) -> u64 {
        self.0.last().map_or(0, |(at_s, _)| at_s + 2)
    }
}

/// A request and its response on a new connection, which the server closes once it has been idle.
fn exchange(timeline: &mut String, at_s: u64, name: &str) {
    let closed_s = at_s + 1 + KEEP_ALIVE_S;
    for step in [
        format!("{at_s}s open {name} pid=10"),
        format!("{at_s}s send {name} bytes=100"),
        format!("{}s receive {name} bytes=500", at_s + 1),
        format!("{}s read {name}", at_s + 1),
        format!("{closed_s}s peer-closes {name}"),
    ] {
        timeline.push_str(&step);
        timeline.push('\n');
    }
}

/// Connections that are leaked one after another.
fn leaked(count: u64, first_s: u64, every_s: u64) -> String {
    let mut timeline = String::new();
    for number in 0..count {
        exchange(&mut timeline, first_s + number * every_s, &format!("l{number}"));
    }
    timeline
}

#[test]
fn a_pool_with_bursts_is_never_flagged() {
    for (distance_s, depths) in [
        (45, &[50, 7, 50, 10, 50, 30][..]),
        (60, &[50, 40, 30, 20, 10]),
        (20, &[13, 17, 11, 19]),
        (90, &[200, 50, 120]),
        (30, &[12]),
    ] {
        let bursts = Bursts::every(distance_s, 10, depths);
        check_healthy(bursts.end_s() + 60, &bursts.last_in_first_out());
    }
}

/// Each burst uses fewer connections than the previous one, so layers of the pool die one after
/// another.
#[test]
fn a_pool_under_falling_load_is_never_flagged() {
    let bursts = Bursts::every(40, 10, &[100, 80, 65, 52, 41, 33, 26, 20, 15, 11]);
    check_healthy(bursts.end_s() + 60, &bursts.last_in_first_out());
}

/// An audit sees all layers of a pool at once, and no clean-up.
#[test]
fn an_audit_of_a_pool_with_bursts_is_only_possible() {
    let bursts = Bursts::every(40, 10, &[100, 80, 65, 52, 41, 33, 26, 20, 15, 11]);
    let timeline = format!("0s lose-events\n{}", bursts.last_in_first_out());
    for at_s in (60..480).step_by(7) {
        let timeline = format!("{timeline}{at_s}s snapshot\n{}s snapshot\n", at_s + 3);
        let options = crate::Options { idle_ms: 10_000, ..crate::Options::default() };
        let report = super::timeline::run(&format!("{timeline}{}s report", at_s + 3), options);
        assert!(!report.contains("likely") && !report.contains("certain"), "{at_s}: {report}");
    }
}

/// Between two snapshots, connections are opened, used, and closed by the server.
#[test]
fn a_pool_is_never_flagged_however_rare_snapshots_are() {
    for every_s in [7, 13, 24] {
        for (distance_s, depths) in [
            (45, &[50, 7, 50, 10, 50, 30][..]),
            (20, &[13, 17, 11, 19]),
            (40, &[40, 33, 27, 21, 16, 12]),
        ] {
            let bursts = Bursts::every(distance_s, 14, depths);
            let timeline = bursts.last_in_first_out();
            for report in watch(10_000, every_s, bursts.end_s() + 60, &timeline) {
                assert!(report.flagged.is_empty(), "{every_s} {distance_s} {}", report.at_s);
            }
        }
    }
}

/// The number of connections grows only when a burst needs more than the pool still has.
#[test]
fn connections_that_are_not_given_back_are_counted_once_the_pool_is_used_up() {
    for (idle_ms, every_s) in [(10_000, 2), (10_000, 5), (60_000, 5)] {
        let bursts = Bursts::every(31, 16, &[30, 9, 30, 21]);
        let timeline = bursts.last_in_first_out_with_leaks(25, 13);
        // How many requests each of them carried does not matter: the pool is known.
        let is_send = |line: &&str| line.contains(" send ");
        let sends = timeline.lines().filter(is_send).flat_map(|line| [line, "\n"].repeat(6));
        let used: String = sends.collect();
        for timeline in [timeline.clone(), [timeline.as_str(), used.as_str()].concat()] {
            let reports = watch(idle_ms, every_s, bursts.end_s(), &timeline);
            let last = reports.last().unwrap();
            assert_eq!(last.flagged, ["close-wait likely x25"], "{idle_ms} {every_s}");
        }
    }
}

#[test]
fn bursts_that_are_all_kept_are_a_leak() {
    for idle_s in [10, 60] {
        let bursts = Bursts::every(2 * idle_s, 8, &[20]);
        let reports = watch(idle_s * 1_000, 2, bursts.end_s() + idle_s * 2, &bursts.all_kept());
        let first = reports.iter().find(|report| !report.flagged.is_empty()).unwrap();
        // The time of the fifth burst, until its connections are dead, and `--idle`.
        let due_s = 1 + 4 * 2 * idle_s + 1 + KEEP_ALIVE_S + idle_s;
        assert!(first.at_s >= due_s && first.at_s <= due_s + 5 * idle_s, "{}", first.at_s);
        assert_eq!(reports.last().unwrap().flagged, ["close-wait likely x160"]);
    }
}

#[test]
fn a_leak_alongside_a_pool_with_bursts_is_counted_alone() {
    let bursts = Bursts::every(50, 16, &[50, 7, 50, 10]);
    let timeline = [bursts.last_in_first_out(), leaked(25, 20, 11)].concat();
    check_leaking(bursts.end_s(), &timeline, &["close-wait likely x25"]);
}

/// The pool is never idle for so long that the server closes it.
#[test]
fn a_leak_alongside_a_busy_pool_is_counted_alone() {
    let mut timeline = String::from("0s open p1..p50 pid=10\n");
    for second in (1..400).step_by(2) {
        writeln!(timeline, "{second}s send p1..p50 bytes=10\n{second}s receive p1..p50 bytes=10")
            .unwrap();
        writeln!(timeline, "{second}s read p1..p50").unwrap();
    }
    timeline.push_str(&leaked(25, 20, 7));
    check_leaking(400, &timeline, &["close-wait likely x25"]);
}

/// The error path leaks one connection in ten; the others are closed at once.
#[test]
fn a_leak_on_the_error_path_is_counted_alone() {
    let mut timeline = String::new();
    for number in 0..250 {
        let at_s = 1 + number;
        if number % 10 == 3 {
            exchange(&mut timeline, at_s, &format!("l{number}"));
        } else {
            writeln!(timeline, "{at_s}s open s{number} pid=10\n{at_s}s send s{number} bytes=9")
                .unwrap();
            writeln!(timeline, "{}s close s{number}", at_s + 1).unwrap();
        }
    }
    check_leaking(400, &timeline, &["close-wait likely x25"]);
}

/// A busy process takes a while to close what its peers have closed, and closes a single one after
/// a while.
#[test]
fn a_process_that_closes_late_does_not_return_to_its_connections() {
    let mut timeline = leaked(25, 1, 7);
    for number in 0..40 {
        let at_s = 3 + 5 * number;
        writeln!(timeline, "{at_s}s open s{number} pid=10\n{at_s}s send s{number} bytes=9")
            .unwrap();
        writeln!(timeline, "{}s peer-closes s{number}\n{}s close s{number}", at_s + 1, at_s + 3)
            .unwrap();
    }
    timeline.push_str("2s open z pid=10\n2s send z bytes=9\n3s peer-closes z\n40s close z\n");
    check_leaking(400, &timeline, &["close-wait likely x25"]);
}

/// A *likely* finding stays *likely* until its connections are closed.
#[test]
fn a_leak_that_stopped_stays_likely() {
    let timeline = leaked(25, 1, 7);
    check_leaking(3_600, &timeline, &["close-wait likely x25"]);
    // A process that closed twenty may return to the latest one.
    check_leaking(3_610, &format!("{timeline}3605s close l0..l19\n"), &["close-wait likely x4"]);
    check_leaking(3_610, &format!("{timeline}3605s close l0..l24\n"), &[]);
}

/// From time to time, a garbage collector closes every third dead connection, old and new alike.
#[test]
fn a_garbage_collector_that_closes_a_third_does_not_cap_the_rest() {
    let mut timeline = leaked(90, 1, 7);
    let mut dead: Vec<u64> = Vec::new();
    for number in 0..90 {
        dead.push(number);
        if number % 20 == 19 {
            let at_s = 1 + number * 7 + 5;
            let is_collected = |index: usize| index % 3 == 1 && index + 2 < dead.len();
            let (collected, kept): (Vec<_>, Vec<_>) =
                dead.iter().enumerate().partition(|(index, _)| is_collected(*index));
            for (_, one) in collected {
                writeln!(timeline, "{at_s}s close l{one}").unwrap();
            }
            dead = kept.into_iter().map(|(_, one)| *one).collect();
        }
    }
    check_leaking(900, &timeline, &[&format!("close-wait likely x{}", dead.len())]);
}

/// A garbage collector like Python's that runs every `every_s` seconds: it closes the connections
/// to which nothing refers. Those for which `is_kept` is true are in a list.
fn collected(every_s: u64, pace_s: u64, total: u64, is_kept: impl Fn(u64) -> bool) -> String {
    let mut timeline = leaked(total, 1, pace_s);
    let mut runs = 1;
    let mut uncollected: Vec<u64> = Vec::new();
    for number in 0..=total {
        let opened_s = 1 + number * pace_s;
        while runs * every_s + 1 < opened_s || (number == total && !uncollected.is_empty()) {
            let dead = |it: &u64| 1 + it * pace_s + KEEP_ALIVE_S < runs * every_s + 1;
            for one in uncollected.extract_if(.., |it| dead(it)) {
                writeln!(timeline, "{}s close l{one}", runs * every_s + 1).unwrap();
            }
            runs += 1;
        }
        if !is_kept(number) {
            uncollected.push(number);
        }
    }
    timeline
}

/// A collection may close one connection, and a new one may be opened at the same time.
#[test]
fn a_garbage_collector_does_not_cap_leaks_at_any_pace() {
    for (every_s, pace_s) in [(35, 7), (60, 7), (90, 8), (110, 9), (200, 6), (200, 11)] {
        let is_kept = |number: u64| number % 3 != 1;
        let timeline = collected(every_s, pace_s, 72, is_kept);
        let kept = (0..72).filter(|number| is_kept(*number)).count();
        let until_s = 72 * pace_s + 400;
        check_leaking(until_s, &timeline, &[&format!("close-wait likely x{kept}")]);
    }
}

/// Before the first collection, connections that it will close cannot be distinguished from a leak.
#[test]
fn what_a_garbage_collector_will_close_is_not_flagged_after_its_second_run() {
    for (idle_ms, interval_s, every_s, pace_s) in [
        (10_000, 2, 15, 1),
        (10_000, 2, 35, 3),
        (60_000, 5, 90, 5),
        (60_000, 5, 180, 7),
        (60_000, 5, 230, 9),
    ] {
        // A cache keeps some of them for a long time.
        let timeline = collected(every_s, pace_s, 300, |number| number % 75 == 74);
        let reports = watch(idle_ms, interval_s, 300 * pace_s, &timeline);
        let is_settled = |at_s: u64| at_s > 2 * every_s + idle_ms / 1_000 + interval_s;
        let flagged = reports.iter().find(|it| is_settled(it.at_s) && !it.flagged.is_empty());
        assert!(flagged.is_none(), "{every_s} {:?}", flagged.map(|it| (it.at_s, &it.flagged)));
    }
}

/// One connection per 20 × `--idle`, thirty in all: an audit and a live run.
#[test]
fn a_slow_leak_is_likely_in_an_audit() {
    let timeline = format!("0s lose-events\n{}", leaked(30, 1, 1_200));
    let at_s = 30 * 1_200;
    let report = super::timeline::run(
        &format!("{timeline}{at_s}s snapshot\n{}s snapshot\n{}s report", at_s + 3, at_s + 3),
        crate::Options::default(),
    );
    assert!(report.contains("close-wait likely: p10[10] outbound 10.0.0.1:443 x30"), "{report}");
}

/// A connection for each of several threads, which get work at random.
#[test]
fn connections_of_threads_are_not_flagged_once_they_are_used_again() {
    let mut timeline = String::new();
    let (mut random, mut last) = (7_u64, [0_u64; 40]);
    for number in 0..400_u64 {
        random =
            random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let thread = usize::try_from((random >> 33) % 40).unwrap();
        let at_s = 1 + number * 4;
        if last[thread] + KEEP_ALIVE_S + 2 > at_s && last[thread] > 0 {
            continue;
        }
        if last[thread] > 0 {
            writeln!(timeline, "{at_s}s close t{thread}x{}", last[thread]).unwrap();
        }
        last[thread] = at_s;
        exchange(&mut timeline, at_s, &format!("t{thread}x{at_s}"));
    }
    for (idle_ms, every_s) in [(10_000, 2), (60_000, 5)] {
        let reports = watch(idle_ms, every_s, 1_600, &timeline);
        let settled: Vec<_> =
            reports.iter().filter(|it| it.at_s > 800 && !it.flagged.is_empty()).collect();
        assert!(settled.is_empty(), "{:#?}", settled.first().map(|it| (it.at_s, &it.flagged)));
    }
}
