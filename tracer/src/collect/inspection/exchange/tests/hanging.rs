//! Workers that cannot be killed.

use super::*;

/// Each process runs a program of its own; those with a pid below 10 are of one user.
#[expect(clippy::unnecessary_wraps, reason = "the exchange asks for programs that may be unknown")]
fn of_users(process: ProcessKey) -> Option<Program> {
    Some(Program { hash: process.pid.into(), user: u32::from(process.pid < 10) })
}

/// The worker fails on the next request, and cannot be killed.
fn hang(play: &mut Play) {
    play.exchange.worker_ended();
    play.start();
    play.send();
    let process = play.requests.front().map(|request| request.task.process());
    assert_eq!(play.exchange.worker_failed(&mut play.outcomes), process);
    assert_eq!(play.exchange.next_second(), process);
    play.exchange.next_hangs(&mut play.outcomes);
}

fn entries(pid: u32) -> Task {
    Task::Entries(process(pid))
}

#[test]
fn a_request_at_which_a_worker_cannot_be_killed_is_not_made_again() {
    let exchange = Exchange::new(of_users);
    let mut play = Play { exchange, ..Play::default() };
    play.ask(entries(1));
    hang(&mut play);
    assert_eq!(play.take(), [(1, false)]);
    play.ask(entries(2));
    assert_eq!(play.exchange.next_second(), None);
    hang(&mut play);
    assert_eq!(play.take(), [(2, false)]);

    // Any kind about other programs of the user, and another user.
    play.ask(entries(3));
    play.ask(call_site(3, false));
    assert_eq!(play.take(), [(3, false), (3, false)]);
    play.ask(entries(10));
    play.start();
    assert_eq!(play.send(), [10]);
}

/// Two kinds about one program of a user count like one kind about two programs. What the kernel
/// knows is still asked for: nothing is found in a process that is not identified.
#[test]
fn a_user_has_as_many_workers_that_cannot_be_killed_whatever_the_kind() {
    let exchange = Exchange::new(of_users);
    let mut play = Play { exchange, ..Play::default() };
    play.ask(call_site(1, true));
    hang(&mut play);
    assert_eq!(play.take(), [], "it is asked for without debug information");
    hang(&mut play);
    assert_eq!(play.take(), [(1, false)]);

    play.ask(entries(2));
    assert_eq!(play.take(), [(2, false)]);
    play.ask(entries(10));
    play.ask(Task::Process(process(2)));
    play.start();
    assert_eq!(play.send(), [10, 2]);
    assert_eq!(play.requests[1].task, task(2));
}
