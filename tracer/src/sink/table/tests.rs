use expect_test::{Expect, expect};
use tracer_core::Report;

use super::*;
use crate::sink::fixture;

fn check(report: &Report, width: u16, expected: &Expect) {
    let style = Style { color: false, width, wide: false };
    check_style(report, style, expected);
}

fn check_style(report: &Report, style: Style, expected: &Expect) {
    let text = page(report, &fixture::context(), style).to_string();
    expected.assert_eq(&text);
    let visible = text.chars().all(|character| character == '\n' || !character.is_control());
    assert!(visible || style.color, "a control character: {text:?}");
    for line in text.lines() {
        assert!(style.color || text::width(line) <= usize::from(style.width), "too wide: {line}");
        assert_eq!(line.trim_end(), line);
    }
}

#[test]
fn mixed_at_80() {
    check(
        &fixture::mixed(),
        80,
        &expect![[r#"
        #   PID  COMM   REMOTE         COUNT  OLDEST   GROWTH  VERDICT
        1  4711  api    10.0.0.7:443   1 204     51m  +23/min  close-wait (likely)
        2   801  nginx  inbound :8080     12    >51m        -  ghost (possible)
        3  4711  api    10.0.9.9:5432      2     51m    0/min  stale-pool (info)

        #1  api[4711] -> 10.0.0.7:443: close-wait (likely), 1 190 CLOSE_WAIT,
            14 ESTABLISHED
            The peer closed them between 50m and 1m ago; the application did not.
            Their number rose in each of the last 5 minutes.
            fds 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 +1 194 more; 1 190 traced, 14 seeded
            (open before the start)
            exe /usr/local/bin/api

        #2  nginx[801] inbound :8080: ghost (possible), 12 CLOSE
            They are dead; their descriptors are open. ss does not show them.
            fds 20, 21, 22, 23, 24, 25, 26, 27, 28, 29 +2 more; 1 traced, 11 seeded
            (open before the start)
            also held by nginx-worker[802] fds 20, 21, 22, 23, 24, 25, 26, 27, 28, 29
            +2 more
            exe /usr/sbin/nginx

        #3  api[4711] -> 10.0.9.9:5432: stale-pool (info), 2 CLOSE_WAIT
            Few and not rising, as in a pool until its next use.
            fds 7, 8; all traced
            exe /usr/local/bin/api

        taken back 12s ago: undrained x5 api[4711] -> 10.0.0.8:443, had stood 3m: closed
        or used again

        api[4711]: 1 211 TCP fds of 65 536, +23/min, limit in 46h

        Seen: 10 234 TCP sockets, 3 snapshots, 0 events lost. Complete.
        tracer 0.1.0 on web1, 2026-03-01 12:00:00 UTC, watched for 3s
    "#]],
    );
}

#[test]
fn mixed_at_200() {
    check(
        &fixture::mixed(),
        200,
        &expect![[r#"
        #   PID  COMM   REMOTE         STATE                    COUNT  OLDEST   GROWTH  VERDICT
        1  4711  api    10.0.0.7:443   CLOSE_WAIT, ESTABLISHED  1 204     51m  +23/min  close-wait (likely)
        2   801  nginx  inbound :8080  CLOSE                       12    >51m        -  ghost (possible)
        3  4711  api    10.0.9.9:5432  CLOSE_WAIT                   2     51m    0/min  stale-pool (info)

        #1  api[4711] -> 10.0.0.7:443: close-wait (likely), 1 190 CLOSE_WAIT, 14 ESTABLISHED
            The peer closed them between 50m and 1m ago; the application did not.
            Their number rose in each of the last 5 minutes.
            fds 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 +1 194 more; 1 190 traced, 14 seeded (open before the start)
            exe /usr/local/bin/api

        #2  nginx[801] inbound :8080: ghost (possible), 12 CLOSE
            They are dead; their descriptors are open. ss does not show them.
            fds 20, 21, 22, 23, 24, 25, 26, 27, 28, 29 +2 more; 1 traced, 11 seeded (open before the start)
            also held by nginx-worker[802] fds 20, 21, 22, 23, 24, 25, 26, 27, 28, 29 +2 more
            exe /usr/sbin/nginx

        #3  api[4711] -> 10.0.9.9:5432: stale-pool (info), 2 CLOSE_WAIT
            Few and not rising, as in a pool until its next use.
            fds 7, 8; all traced
            exe /usr/local/bin/api

        taken back 12s ago: undrained x5 api[4711] -> 10.0.0.8:443, had stood 3m: closed or used again

        api[4711]: 1 211 TCP fds of 65 536, +23/min, limit in 46h

        Seen: 10 234 TCP sockets, 3 snapshots, 0 events lost. Complete.
        tracer 0.1.0 on web1, 2026-03-01 12:00:00 UTC, watched for 3s
    "#]],
    );
}

#[test]
fn mixed_wide_at_200() {
    let style = Style { color: false, width: 200, wide: true };
    check_style(
        &fixture::mixed(),
        style,
        &expect![[r#"
        #   PID  COMM   REMOTE         STATE                    COUNT  OLDEST   GROWTH  VERDICT              LOCAL               IDLE  UNREAD  READER    UID       NETNS  EXE
        1  4711  api    10.0.0.7:443   CLOSE_WAIT, ESTABLISHED  1 204     51m  +23/min  close-wait (likely)  10.0.0.5:*           50m  28 KiB  unknown  1000  4026531840  /usr/local/bin/api
        2   801  nginx  inbound :8080  CLOSE                       12    >51m        -  ghost (possible)     [2001:db8::5]:8080   50m     0 B  unknown    33  4026531840  /usr/sbin/nginx
        3  4711  api    10.0.9.9:5432  CLOSE_WAIT                   2     51m    0/min  stale-pool (info)    10.0.0.5:*           50m     0 B  unknown  1000  4026531840  /usr/local/bin/api

        #1  api[4711] -> 10.0.0.7:443: close-wait (likely), 1 190 CLOSE_WAIT, 14 ESTABLISHED
            The peer closed them between 50m and 1m ago; the application did not.
            Their number rose in each of the last 5 minutes.
            fds 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 +1 194 more; 1 190 traced, 14 seeded (open before the start)
            exe /usr/local/bin/api

        #2  nginx[801] inbound :8080: ghost (possible), 12 CLOSE
            They are dead; their descriptors are open. ss does not show them.
            fds 20, 21, 22, 23, 24, 25, 26, 27, 28, 29 +2 more; 1 traced, 11 seeded (open before the start)
            also held by nginx-worker[802] fds 20, 21, 22, 23, 24, 25, 26, 27, 28, 29 +2 more
            exe /usr/sbin/nginx

        #3  api[4711] -> 10.0.9.9:5432: stale-pool (info), 2 CLOSE_WAIT
            Few and not rising, as in a pool until its next use.
            fds 7, 8; all traced
            exe /usr/local/bin/api

        taken back 12s ago: undrained x5 api[4711] -> 10.0.0.8:443, had stood 3m: closed or used again

        api[4711]: 1 211 TCP fds of 65 536, +23/min, limit in 46h

        Seen: 10 234 TCP sockets, 3 snapshots, 0 events lost. Complete.
        tracer 0.1.0 on web1, 2026-03-01 12:00:00 UTC, watched for 3s
    "#]],
    );
}

#[test]
fn mixed_wide_at_80() {
    let style = Style { color: false, width: 80, wide: true };
    check_style(
        &fixture::mixed(),
        style,
        &expect![[r#"
        #   PID  COMM   REMOTE         COUNT  OLDEST   GROWTH  VERDICT              IDLE
        1  4711  api    10.0.0.7:443   1 204     51m  +23/min  close-wait (likely)   50m
        2   801  nginx  inbound :8080     12    >51m        -  ghost (possible)      50m
        3  4711  api    10.0.9.9:5432      2     51m    0/min  stale-pool (info)     50m
        Too narrow for STATE, LOCAL, UNREAD, READER, UID, NETNS, EXE.

        #1  api[4711] -> 10.0.0.7:443: close-wait (likely), 1 190 CLOSE_WAIT,
            14 ESTABLISHED
            The peer closed them between 50m and 1m ago; the application did not.
            Their number rose in each of the last 5 minutes.
            fds 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 +1 194 more; 1 190 traced, 14 seeded
            (open before the start)
            exe /usr/local/bin/api

        #2  nginx[801] inbound :8080: ghost (possible), 12 CLOSE
            They are dead; their descriptors are open. ss does not show them.
            fds 20, 21, 22, 23, 24, 25, 26, 27, 28, 29 +2 more; 1 traced, 11 seeded
            (open before the start)
            also held by nginx-worker[802] fds 20, 21, 22, 23, 24, 25, 26, 27, 28, 29
            +2 more
            exe /usr/sbin/nginx

        #3  api[4711] -> 10.0.9.9:5432: stale-pool (info), 2 CLOSE_WAIT
            Few and not rising, as in a pool until its next use.
            fds 7, 8; all traced
            exe /usr/local/bin/api

        taken back 12s ago: undrained x5 api[4711] -> 10.0.0.8:443, had stood 3m: closed
        or used again

        api[4711]: 1 211 TCP fds of 65 536, +23/min, limit in 46h

        Seen: 10 234 TCP sockets, 3 snapshots, 0 events lost. Complete.
        tracer 0.1.0 on web1, 2026-03-01 12:00:00 UTC, watched for 3s
    "#]],
    );
}

#[test]
fn mixed_coloured() {
    let style = Style { color: true, width: 80, wide: false };
    check_style(
        &fixture::mixed(),
        style,
        &expect![[r#"
        [1m#   PID  COMM   REMOTE         COUNT  OLDEST   GROWTH  VERDICT[0m
        1  4711  api    10.0.0.7:443   1 204     51m  +23/min  [1;31mclose-wait (likely)[0m
        2   801  nginx  inbound :8080     12    >51m        -  [33mghost (possible)[0m
        [2m3  4711  api    10.0.9.9:5432      2     51m    0/min  stale-pool (info)[0m

        [1m#1  api[4711] -> 10.0.0.7:443: close-wait (likely), 1 190 CLOSE_WAIT,[0m
        [1m    14 ESTABLISHED[0m
            The peer closed them between 50m and 1m ago; the application did not.
            Their number rose in each of the last 5 minutes.
            fds 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 +1 194 more; 1 190 traced, 14 seeded
            (open before the start)
            exe /usr/local/bin/api

        [1m#2  nginx[801] inbound :8080: ghost (possible), 12 CLOSE[0m
            They are dead; their descriptors are open. ss does not show them.
            fds 20, 21, 22, 23, 24, 25, 26, 27, 28, 29 +2 more; 1 traced, 11 seeded
            (open before the start)
            also held by nginx-worker[802] fds 20, 21, 22, 23, 24, 25, 26, 27, 28, 29
            +2 more
            exe /usr/sbin/nginx

        [1m#3  api[4711] -> 10.0.9.9:5432: stale-pool (info), 2 CLOSE_WAIT[0m
            Few and not rising, as in a pool until its next use.
            fds 7, 8; all traced
            exe /usr/local/bin/api

        [2mtaken back 12s ago: undrained x5 api[4711] -> 10.0.0.8:443, had stood 3m: closed[0m
        [2mor used again[0m

        api[4711]: 1 211 TCP fds of 65 536, +23/min, limit in 46h

        Seen: 10 234 TCP sockets, 3 snapshots, 0 events lost. Complete.
        [2mtracer 0.1.0 on web1, 2026-03-01 12:00:00 UTC, watched for 3s[0m
    "#]],
    );
}

#[test]
fn hostile_strings_are_shown_as_text() {
    check(
        &fixture::hostile(),
        80,
        &expect![[r##"
            #   PID  COMM          REMOTE        COUNT  OLDEST   GROWTH  VERDICT
            1  4711  =\x1b[2J\n..  10.0.0.7:443      1     51m  +23/min  close-wait (likely)

            #1  =\x1b[2J\n"x",�\u{202e}[4711] -> 10.0.0.7:443: close-wait (likely),
                1 CLOSE_WAIT
                -GET http://h/\r\nSet-Cookie: a
                at @main\ttab evil.go:1
                A sentence with \x1b[8m hidden text.
                fd 7; all traced
                also held by \x9b31m\u{200b}\r[666] fd 8
                exe /tmp/\u{202e}gpj.exe\n/bin/sh, container \x1b[31mdeadbee
                command sh -c \x1b]0;owned\x07

            Seen: 10 234 TCP sockets, 3 snapshots, 0 events lost. Complete.
            tracer 0.1.0 on web1, 2026-03-01 12:00:00 UTC, watched for 3s
        "##]],
    );
    check(
        &fixture::hostile(),
        u16::MAX,
        &expect![[r##"
            #   PID  COMM                     REMOTE        STATE       COUNT  OLDEST   GROWTH  VERDICT              CALL SITE
            1  4711  =\x1b[2J\n"x",�\u{202e}  10.0.0.7:443  CLOSE_WAIT      1     51m  +23/min  close-wait (likely)  @main\ttab evil.go:1

            #1  =\x1b[2J\n"x",�\u{202e}[4711] -> 10.0.0.7:443: close-wait (likely), 1 CLOSE_WAIT
                -GET http://h/\r\nSet-Cookie: a
                at @main\ttab evil.go:1
                A sentence with \x1b[8m hidden text.
                fd 7; all traced
                also held by \x9b31m\u{200b}\r[666] fd 8
                exe /tmp/\u{202e}gpj.exe\n/bin/sh, container \x1b[31mdeadbee
                command sh -c \x1b]0;owned\x07

            Seen: 10 234 TCP sockets, 3 snapshots, 0 events lost. Complete.
            tracer 0.1.0 on web1, 2026-03-01 12:00:00 UTC, watched for 3s
        "##]],
    );
}

#[test]
fn nothing_found() {
    check(
        &fixture::report(Vec::new()),
        80,
        &expect![[r#"
        No leaked connections found.

        Seen: 10 234 TCP sockets, 3 snapshots, 0 events lost. Complete.
        tracer 0.1.0 on web1, 2026-03-01 12:00:00 UTC, watched for 3s
    "#]],
    );
}

#[test]
fn nothing_found_but_much_unseen() {
    check(
        &fixture::incomplete(),
        80,
        &expect![[r#"
        No leaked connections found, but not everything could be seen.

        Note: accept: not attached (no BTF)
        Note: Only processes of this container are visible.
        Seen: 10 234 TCP sockets, 3 snapshots, 1 234 events lost. NOT COMPLETE: 1
        snapshot failed, 5 connections did not fit into the table, 2 processes could not
        be read. Not judged: 2 mptcp, 1 smc.
        tracer 0.1.0 on web1, 2026-03-01 12:00:00 UTC, watched for 3s
    "#]],
    );
}
