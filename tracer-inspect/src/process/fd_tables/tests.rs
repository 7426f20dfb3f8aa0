use std::{
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use super::*;

/// Waits for up to ten seconds: a thread that has exited takes a while to disappear.
fn expect_shared(expected: bool) {
    let end = Instant::now() + Duration::from_secs(10);
    while is_shared_by_all_threads(std::process::id()) != expected {
        assert!(Instant::now() < end, "not {expected}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Gives this thread its own fd table, without the files of other tests, which may be waiting for
/// the last copy to be closed.
fn unshare() -> libc::c_long {
    let [first, last] = [3, libc::c_long::from(u32::MAX)];
    let flags = libc::c_long::from(libc::CLOSE_RANGE_UNSHARE);
    // SAFETY: all arguments are numbers, and the fds are closed in the new table only.
    unsafe { libc::syscall(libc::SYS_close_range, first, last, flags) }
}

#[test]
fn a_thread_with_a_table_of_its_own_is_seen_while_it_runs() {
    let (with_own, without_own) = (mpsc::channel(), mpsc::channel());
    let end = |receiver: mpsc::Receiver<()>| receiver.recv().unwrap_err();
    let sharing = thread::spawn(move || end(without_own.1));
    expect_shared(true);
    let (has_unshared, unshared) = mpsc::channel();
    let apart = thread::spawn(move || {
        has_unshared.send(unshare()).unwrap();
        end(with_own.1)
    });
    assert_eq!(unshared.recv(), Ok(0));
    assert!(!is_shared_by_all_threads(std::process::id()));
    drop(with_own.0);
    apart.join().unwrap();
    expect_shared(true);
    drop(without_own.0);
    sharing.join().unwrap();
}

#[test]
fn a_process_that_does_not_exist_shares_nothing() {
    assert!(!is_shared_by_all_threads(u32::MAX));
}
