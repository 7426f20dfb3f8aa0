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

#[test]
fn a_request_at_which_a_worker_cannot_be_killed_is_not_made_again() {
    let exchange = Exchange::new(of_users);
    let mut play = Play { exchange, ..Play::default() };
    play.ask(task(1));
    hang(&mut play);
    assert_eq!(play.take(), [(1, false)]);
    play.ask(task(2));
    assert_eq!(play.exchange.next_second(), None);
    hang(&mut play);
    assert_eq!(play.take(), [(2, false)]);

    // The same kind about other programs of the user, another kind, and another user.
    play.ask(task(3));
    assert_eq!(play.take(), [(3, false)]);
    play.ask(Task::Entries(process(3)));
    play.ask(task(10));
    play.start();
    assert_eq!(play.send(), [3, 10]);
}
