//! Requests of which a part is asked for once workers have failed on them.

use super::*;

/// Makes two workers fail on the next request.
fn fail_twice(play: &mut Play) {
    play.exchange.worker_ended();
    for _ in 0..2 {
        play.start();
        play.send();
        play.fail();
    }
    play.start();
}

#[test]
fn a_call_site_is_searched_with_debug_information_then_without_then_not_at_all() {
    let mut play = Play::default();
    play.ask(call_site(1, true));
    fail_twice(&mut play);
    assert_eq!(play.take(), []);
    assert_eq!(play.send(), [1]);
    assert_eq!(play.requests[0].task, call_site(1, false));
    play.answer();
    assert_eq!(play.take(), [(1, true)]);
    play.ask(call_site(1, true));
    fail_twice(&mut play);
    assert_eq!(play.take(), [(1, false)]);
    play.ask(call_site(1, true));
    assert_eq!(play.take(), [(1, false)]);
    play.ask(call_site(2, true));
    assert_eq!(play.send(), [2]);
    assert_eq!(play.requests[0].task, call_site(2, true));
}

#[test]
fn a_process_is_identified_with_its_command_line_then_without_then_not_at_all() {
    let mut play = Play::default();
    play.ask(Task::Process(process(1)));
    fail_twice(&mut play);
    assert_eq!(play.take(), []);
    assert_eq!(play.send(), [1]);
    assert_eq!(play.requests[0].task, task(1));
    play.answer();
    assert_eq!(play.take(), [(1, true)]);
    play.ask(Task::Process(process(1)));
    fail_twice(&mut play);
    assert_eq!(play.take(), [(1, false)]);
}
