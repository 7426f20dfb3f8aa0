//! Findings that are retracted, and runs that end.

use std::{
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    time::Duration,
};

use super::run::{Leak, UNREAD_BYTES, run};
use crate::collect::backend::scripted::{Process, ScriptedHost, Sockets};

const TIME: Duration = Duration::from_secs(10);

#[test]
fn a_leak_that_is_closed_is_retracted() {
    let process = Process::this();
    let host = Leak::Undrained.before_the_run(&process, 6).at(TIME, Sockets::close_all);

    let outcome = run(&format!("--pid {} --idle 1s --for 15s -o json", process.pid), host);

    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert!(outcome.finding(&process).is_retracted(), "{outcome:?}");
}

#[test]
fn a_leak_that_is_read_is_retracted() {
    let process = Process::this();
    let host = Leak::Undrained.before_the_run(&process, 6);
    let host = host.at(TIME, |sockets| (1..=6).for_each(|id| sockets.read(id)));

    let outcome = run(&format!("--pid {} --idle 1s --for 15s -o json", process.pid), host);

    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert!(outcome.report().leaks_of(process.pid).is_empty(), "{outcome:?}");
}

#[test]
fn a_leak_that_grows_is_one_finding() {
    let process = Process::this();
    let mut host = Leak::Undrained.before_the_run(&process, 6);
    for second in 1..=8 {
        let process = process.clone();
        host = host.at(Duration::from_secs(second), move |sockets| {
            Leak::Undrained.one(sockets, &process);
        });
    }

    let outcome = run(&format!("--pid {} --idle 2s --for 15s -o json", process.pid), host);

    assert_eq!(outcome.code, 1, "{outcome:?}");
    let finding = outcome.finding(&process);
    assert_eq!(finding.count(), 14, "{outcome:?}");
    assert_eq!(finding.number("unread_bytes"), 14 * u64::from(UNREAD_BYTES), "{outcome:?}");
}

/// That the process has read EOF is known if it did so between two snapshots.
#[test]
fn a_process_that_reads_the_fin_and_does_not_close_leaks() {
    let process = Process::this();
    for (reads, code, verdict) in [(true, 1, "close-wait"), (false, 0, "stale-pool")] {
        let mut host = ScriptedHost::new();
        for number in 1..=6 {
            let received = Duration::from_secs(2 * u64::from(number));
            let process = process.clone();
            host = host.at(received, move |sockets| {
                Leak::CloseWait.one(sockets, &process);
            });
            if reads {
                host = host.at(received + Duration::from_millis(1_500), move |sockets| {
                    sockets.read_fin(number);
                });
            }
        }

        let outcome = run(&format!("--pid {} --idle 3s --for 20s -o json", process.pid), host);

        assert_eq!(outcome.code, code, "{outcome:?}");
        let finding = outcome.finding(&process);
        assert_eq!((finding.text("verdict"), finding.count()), (verdict, 6), "{outcome:?}");
    }
}

#[test]
fn a_run_ends_with_its_target_process() {
    let sleep = Command::new("sleep").arg("600").stdin(Stdio::null()).spawn().unwrap();
    let process = Process::of(sleep.id());
    let sleep: Arc<Mutex<Child>> = Arc::new(Mutex::new(sleep));
    let host = Leak::Undrained.before_the_run(&process, 6).at(TIME, move |sockets| {
        let mut sleep = sleep.lock().unwrap();
        sleep.kill().unwrap();
        sleep.wait().unwrap();
        sockets.close_all();
    });

    // Without `--for`.
    let outcome = run(&format!("--pid {} --idle 1s -o json", process.pid), host);

    assert_eq!(outcome.code, 0, "{outcome:?}");
    let report = outcome.report();
    assert_eq!(report.leaked_by(process.pid), 0, "{report}");
    let notes = &report.member("coverage")["notes"];
    assert!(notes.to_string().contains("target-processes-ended"), "{notes}");
}
