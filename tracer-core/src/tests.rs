//! Timelines in, findings out. [`timeline`] documents the language of timelines.

mod bodies;
mod body_references;
mod by_port;
mod call_sites;
mod changed;
mod codes;
mod confirmation;
mod decoding;
mod degraded;
mod delayed_answers;
mod fd_limit;
mod finding_keys;
mod growth;
mod half_closed;
mod healthy;
mod inheritance;
mod inspections;
mod leaks_in_doubt;
mod ledgers;
mod lifecycle;
mod multiplexed;
mod not_connected;
mod open_responses;
mod patterns;
mod pauses;
mod peers;
mod pools;
mod process_summaries;
mod properties;
mod readers;
mod recently_closed;
mod render;
mod response_lists;
mod scan_subsets;
mod scenarios;
mod series;
mod shrinking_pools;
mod slow_leaks;
mod slow_peers;
mod stopped;
mod thresholds;
mod timeline;
mod units;
mod unread;
mod watched;
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
