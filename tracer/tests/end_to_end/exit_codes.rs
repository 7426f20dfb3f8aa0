//! 0 nothing leaked, 1 a leak, as the flags define one.

use crate::support::{Kind, Leak, Tracer};

#[test]
fn a_likely_leak_is_none_where_only_certain_ones_count() {
    let leak = Leak::of(Kind::Undrained, 6);
    let audit = format!("audit --pid {} --idle 1s -o json", leak.pid());

    for (flag, code) in [("", 1), ("--fail-on likely", 1), ("--fail-on certain", 0)] {
        let outcome = Tracer::run(&format!("{audit} {flag}"));

        assert_eq!(outcome.code, code, "{flag}: {outcome:?}");
        leak.assert_reported_by(&outcome.report());
    }
}

#[test]
fn a_possible_leak_is_one_where_the_user_says_so() {
    let leak = Leak::of(Kind::Undrained, 2);
    let audit = format!("audit --pid {} --idle 1s -o json", leak.pid());

    let outcome = Tracer::run(&audit);
    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert_eq!(outcome.report().findings_of(leak.pid())[0].text("confidence"), "possible");

    assert_eq!(Tracer::run(&format!("{audit} --fail-on possible")).code, 1);
    assert_eq!(Tracer::run(&format!("{audit} --min-count 2")).code, 1);
}

#[test]
fn what_is_not_silent_for_long_enough_is_no_leak() {
    let leak = Leak::of(Kind::Undrained, 6);

    let outcome = Tracer::run(&format!("audit --pid {} --idle 1h -o json", leak.pid()));

    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert!(outcome.report().findings_of(leak.pid()).is_empty());
}
