//! 0 no leak, 1 a leak, as the options define one. The other cases run on a scripted host.

use crate::support::{Kind, Leak, Tracer};

#[test]
fn fail_on_sets_the_least_confidence_of_a_leak() {
    let leak = Leak::of(Kind::Undrained, 6);
    let audit = format!("audit --pid {} --idle 2s -o json", leak.pid());

    let flags = [("", 1), ("--fail-on certain", 0)];
    let started = flags.map(|(flag, code)| (Tracer::start(&format!("{audit} {flag}")), flag, code));
    for (tracer, flag, code) in started {
        let outcome = tracer.finish();
        assert_eq!(outcome.code, code, "{flag}: {outcome:?}");
        leak.assert_reported_by(&outcome.report());
    }
}
