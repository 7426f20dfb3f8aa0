//! Timelines in, findings out. See [`timeline`] for the language.

mod bodies;
mod call_sites;
mod decoding;
mod degraded;
mod ebbing;
mod healthy;
mod inheritance;
mod ledgers;
mod multiplexed;
mod pages;
mod parts;
mod peers;
mod properties;
mod readers;
mod render;
mod scenarios;
mod spread;
mod stir;
mod thresholds;
mod timeline;
mod units;
mod unread;
mod world;

use expect_test::Expect;

use crate::Options;

/// Runs a timeline and compares what it reports.
fn check(timeline: &str, expect: &Expect) {
    check_with(Options::default(), timeline, expect);
}

fn check_with(options: Options, timeline: &str, expect: &Expect) {
    expect.assert_eq(&timeline::run(timeline, options));
}
