//! Processes at their fd limit, with dead connections that came too fast to be called one by one.

use std::{format, string::String};

use expect_test::expect;
use proptest::prelude::*;

use super::{
    check,
    patterns::{End, Script, any_pace, cases, check_healthy, check_leaking, end, pace},
    timeline,
};
use crate::Options;

/// Adds a connection of process 10 that is opened at `at_ms` and dies `keep_ms` after its request.
fn connection(script: &mut Script, one: &str, end: End, at_ms: u64, keep_ms: u64) {
    match end {
        End::NeverRead => {
            script.at(at_ms, format!("accept {one} pid=10"));
            script.at(at_ms + 2, format!("receive {one} bytes=20000"));
            script.at(at_ms + 2 + keep_ms, format!("peer-closes {one}"));
            return;
        }
        _ => script.at(at_ms, format!("open {one} pid=10")),
    }
    script.at(at_ms + 1, format!("send {one} bytes=100"));
    script.at(at_ms + 2, format!("receive {one} bytes=20000"));
    let verb = match end {
        End::Unread | End::NeverRead => return,
        End::PeerCloses => "peer-closes",
        End::PeerResets => "peer-resets",
    };
    script.at(at_ms + 2, format!("read {one}"));
    script.at(at_ms + 2 + keep_ms, format!("{verb} {one}"));
}

/// A leak that fills the fd limit and cannot continue.
#[derive(Clone, Copy, Debug)]
struct Leak {
    end: End,
    /// Between two connections.
    pause_ms: u64,
    /// From the response until the peer closes.
    keep_ms: u64,
    limit: u64,
    files: u64,
}

fn leak() -> impl Strategy<Value = Leak> {
    (end(), 10_u64..333, 0_u64..100, 256_u64..700, 3_u64..40).prop_map(
        |(end, pause_ms, keep, limit, files)| {
            // At most two fifths of the connections are alive at one time.
            let keep_ms = (pause_ms * limit / 250 * keep / 100).min(5_000);
            Leak { end, pause_ms, keep_ms, limit, files }
        },
    )
}

impl Leak {
    const fn count(self) -> u64 {
        self.limit - self.files
    }

    /// The leak, and when its last connection dies.
    fn run(self) -> (Script, u64) {
        let mut script = Script::default();
        script.at(0, format!("limit pid=10 fds={} files={}", self.limit, self.files));
        for number in 0..self.count() {
            let at_ms = 1_000 + number * self.pause_ms;
            connection(&mut script, &format!("l{number}"), self.end, at_ms, self.keep_ms);
        }
        (script, 1_010 + self.count() * self.pause_ms + self.keep_ms)
    }
}

proptest! {
    #![proptest_config(cases(8))]

    #[test]
    fn a_leak_that_has_filled_the_limit_is_found(leak in leak(), pace in pace()) {
        // What was opened together may be read one after another.
        let is_burst = leak.count() * leak.pause_ms < pace.idle_ms / 5;
        prop_assume!(!matches!(leak.end, End::Unread) || !is_burst);
        let (script, last_ms) = leak.run();
        let count = usize::try_from(leak.count()).unwrap();
        check_leaking(&script, pace, count..=count, last_ms + 5 * pace.idle_ms)?;
    }

    /// The connections are opened one after another, and are all alive when the peer restarts.
    #[test]
    fn a_pool_before_a_restarted_peer_is_healthy(
        pace in any_pace(),
        end in prop_oneof![Just("peer-closes"), Just("peer-resets")],
        (limit, pause_ms) in (100_u64..500, 5_u64..300),
        restart_ms in 0_u64..3_000,
    ) {
        let mut script = Script::default();
        script.at(0, format!("limit pid=10 fds={limit} files=5"));
        let restarts_ms = 1_000 + limit * pause_ms + pace.idle_ms / 2;
        for number in 0..limit - 5 {
            let (one, at_ms) = (format!("p{number}"), 1_000 + number * pause_ms);
            script.at(at_ms, format!("open {one} pid=10"));
            script.at(at_ms + 1, format!("send {one} bytes=100"));
            script.at(at_ms + 2, format!("receive {one} bytes=500"));
            script.at(at_ms + 2, format!("read {one}"));
            script.at(restarts_ms + restart_ms * number / limit, format!("{end} {one}"));
        }
        check_healthy(&script, pace)?;
    }

    /// The clients of a server that serves nobody wait for it.
    #[test]
    fn a_backlog_whose_clients_wait_is_no_leak(
        pace in any_pace(),
        (limit, pause_ms) in (100_u64..500, 5_u64..100),
        bytes in prop_oneof![Just(100_u64), Just(20_000)],
    ) {
        // Longer than that, and the server has hung.
        prop_assume!(limit * pause_ms < 2 * pace.idle_ms);
        let mut script = Script::default();
        script.at(0, format!("limit pid=10 fds={limit} files=5"));
        for number in 0..limit - 5 {
            let (one, at_ms) = (format!("c{number}"), 1_000 + number * pause_ms);
            script.at(at_ms, format!("accept {one} pid=10"));
            script.at(at_ms + 1, format!("receive {one} bytes={bytes}"));
        }
        check_healthy(&script, pace)?;
    }

    /// From time to time, the process closes all that are dead; until then, it may reach its limit.
    #[test]
    fn a_process_that_closes_its_dead_in_batches_is_healthy(
        pace in any_pace(),
        end in prop_oneof![Just(End::PeerCloses), Just(End::PeerResets)],
        limit in 100_u64..300,
        (every, filled) in (60_u64..190, 60_u64..110),
    ) {
        let (mut script, every_ms) = (Script::default(), pace.idle_ms * every / 100);
        script.at(0, format!("limit pid=10 fds={limit} files=5"));
        let pause_ms = every_ms * filled / 100 / limit;
        for batch in 0..5 {
            let starts_ms = 1_000 + batch * every_ms;
            for number in 0..(limit - 5).min(every_ms * 95 / 100 / pause_ms.max(1)) {
                let one = format!("b{batch}x{number}");
                connection(&mut script, &one, end, starts_ms + number * pause_ms, 1);
                script.at(starts_ms + every_ms, format!("close {one}"));
            }
        }
        check_healthy(&script, pace)?;
    }

    /// As many dead connections as in a leak, but the limit is far away, or other files fill it.
    #[test]
    fn it_is_the_dead_connections_that_must_fill_the_limit(
        leak in leak(),
        pace in pace(),
        are_files in any::<bool>(),
    ) {
        let dead = leak.count();
        prop_assume!(dead * leak.pause_ms < 2 * pace.idle_ms);
        let (mut script, _) = leak.run();
        let files = if are_files { dead + leak.files } else { leak.files };
        let limit = if are_files { dead + files } else { 4 * leak.limit };
        script.at(1, format!("limit pid=10 fds={limit} files={files}"));
        check_healthy(&script, pace)?;
    }
}

/// Ten connections per second, each used once, and `ulimit -n 1024`: full after 102 s.
fn fast(limit: u64) -> String {
    let last = limit - 5;
    format!(
        "
        0s limit pid=10 fds={limit} files=5
        0s open a1..a{last} every=100ms pid=10
        0s send a1..a{last} every=100ms bytes=100
        1s receive a1..a{last} every=100ms bytes=200
        1s read a1..a{last} every=100ms
        1s peer-closes a1..a{last} every=100ms
        "
    )
}

/// An audit knows when each was requested and died, and that the process is full.
#[test]
fn an_audit_of_a_leak_that_has_filled_the_limit() {
    check(
        &format!("0s lose-events{}250s snapshot\n253s snapshot\n253s report", fast(1_024)),
        &expect![[r#"
            [4m 13s]
              #1 close-wait likely: p10[10] outbound 10.0.0.1:443 x1019, oldest >4m 13s, active 3s
                 peer-closed count=1019 ago=150200..252000ms
                 series occurrence=PeerClosed count=1019 span_ms=101800 pause_max_ms=100 since_last_ms=150200
                 fd-limit-reached count=1019 open=1024 limit=1024
        "#]],
    );
}

/// The others are 100 s old and would be *possible*, as before.
#[test]
fn an_audit_just_after_the_limit_was_reached() {
    check(
        &format!("0s lose-events{}110s snapshot\n113s snapshot\n113s report", fast(1_024)),
        &expect![[r#"
            [1m 53s]
              #1 close-wait possible: p10[10] outbound 10.0.0.1:443 x521, oldest >1m 53s, active 3s ~+600.0/min
                 peer-closed count=521 ago=60000..112000ms
                 series occurrence=PeerClosed count=521 span_ms=52000 pause_max_ms=100 since_last_ms=60000
                 fd-limit-reached count=521 open=1024 limit=1024
                 but cannot-grow
        "#]],
    );
}

/// The process has not closed its pool since the peer was restarted.
#[test]
fn a_pool_that_fills_the_limit() {
    check(
        "
        0s limit pid=10 fds=1024 files=5
        0s open a1..a1019 every=100ms pid=10
        0s send a1..a1019 every=100ms bytes=100
        1s receive a1..a1019 every=100ms bytes=200
        1s read a1..a1019 every=100ms
        105s snapshot
        110s peer-closes a1..a1019
        115s snapshot
        200s snapshot
        200s report
        ",
        &expect![[r#"
            [3m 20s]
              #1 close-wait possible: p10[10] outbound 10.0.0.1:443 x1019, oldest 3m 20s, active 0s +0.0/min
                 peer-closed count=1019 ago=90000..90000ms
                 fd-limit-reached count=1019 open=1024 limit=1024
                 but single-cause-possible
                 but alive-together alive_max=1019
                 but cannot-grow
        "#]],
    );
}

/// The limit of each is filled in less than three times `--idle`.
#[test]
fn any_limit_at_any_pace() {
    for (limit, pause_ms, idle_s) in
        [(256_u64, 333_u64, 60_u64), (4_096, 10, 60), (12_000, 10, 60), (1_024, 10, 10)]
    {
        let (last, idle_ms) = (limit - 5, idle_s * 1_000);
        let end_s = limit * pause_ms / 1_000 + idle_s + 20;
        let later_s = end_s + 3;
        let timeline = format!(
            "
            0s lose-events
            0s limit pid=10 fds={limit} files=5
            0s open a1..a{last} every={pause_ms}ms pid=10
            0s send a1..a{last} every={pause_ms}ms bytes=100
            1s receive a1..a{last} every={pause_ms}ms bytes=200
            1s read a1..a{last} every={pause_ms}ms
            2s peer-closes a1..a{last} every={pause_ms}ms
            {end_s}s snapshot
            {later_s}s snapshot
            {later_s}s report
            "
        );
        let report = timeline::run(&timeline, Options { idle_ms, ..Options::default() });
        let expected = format!("close-wait likely: p10[10] outbound 10.0.0.1:443 x{last}");
        assert!(report.contains(&expected), "{limit} {pause_ms} {report}");
    }
}
