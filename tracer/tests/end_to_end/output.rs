//! Standard output as a pipe.

use std::{
    io::{BufRead as _, BufReader},
    os::unix::process::ExitStatusExt as _,
    process::{Child, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::{
    io::ioctl_fionread,
    pipe::{fcntl_getpipe_size, fcntl_setpipe_size},
    process::{Pid, Signal, kill_process},
};

use crate::support::{Kind, Leak, command};

#[test]
fn a_closed_pipe_is_not_an_error() {
    let leak = Leak::prepare(Kind::Undrained);
    let mut tracer = command(&format!("--pid {} -o json --interval 100ms", leak.pid()))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();

    let mut first_line = String::new();
    BufReader::new(tracer.stdout.take().unwrap()).read_line(&mut first_line).unwrap();
    let outcome = tracer.wait_with_output().unwrap();

    assert_eq!(outcome.status.code(), Some(0), "{outcome:?}");
    assert_eq!(outcome.stderr, b"", "{outcome:?}");
}

/// With findings, so that there is a first line.
#[test]
fn a_closed_pipe_ends_finding_events() {
    let leak = Leak::of(Kind::Undrained, 6);
    let mut tracer = command(&format!("--pid {} -o jsonl --idle 2s --interval 100ms", leak.pid()))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();

    let mut first_line = String::new();
    BufReader::new(tracer.stdout.take().unwrap()).read_line(&mut first_line).unwrap();
    let outcome = tracer.wait_with_output().unwrap();

    assert!(first_line.contains("\"event\":\"appeared\""), "{first_line}");
    assert!(matches!(outcome.status.code(), Some(0 | 1)), "{outcome:?}");
    assert_eq!(outcome.stderr, b"", "{outcome:?}");
}

/// The first signal cannot end the run, because its last report cannot be written.
#[test]
fn a_second_signal_ends_a_run_whose_output_is_not_read() {
    let leak = Leak::prepare(Kind::Undrained);
    let mut tracer = command(&format!("--pid {} -o json --interval 100ms", leak.pid()))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = tracer.stdout.take().unwrap();
    let _ = fcntl_setpipe_size(&output, 4_096);
    let size = fcntl_getpipe_size(&output).unwrap() as u64;
    let deadline = Instant::now() + Duration::from_mins(1);
    // A line is never split across two writes that fit, so the pipe is not filled to the last byte.
    while ioctl_fionread(&output).unwrap() < size / 2 {
        assert!(Instant::now() < deadline, "the pipe is never full");
        thread::sleep(Duration::from_millis(50));
    }

    let signal = |tracer: &Child| {
        kill_process(Pid::from_child(tracer), Signal::INT).unwrap();
    };
    signal(&tracer);
    // Two signals at once are one request.
    signal(&tracer);
    thread::sleep(Duration::from_secs(1));
    assert!(tracer.try_wait().unwrap().is_none(), "the last report was not written");
    signal(&tracer);

    let status = tracer.wait().unwrap();
    assert_eq!((status.code(), status.signal()), (Some(130), None));
}
