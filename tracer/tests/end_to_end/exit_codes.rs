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
