//! Every sentence about findings that a person reads. Table, JSON, HTML and reports take their text
//! from here, so that a sentence can be changed without touching the core, a recording or a core
//! test.
//!
//! Phrases begin in lower case and have no full stop, for use in lists. Text that the host chose
//! (names, requests, error texts) is passed on unchanged; each output escapes it.

mod advice;
mod call_site_reason;
mod caveat;
mod caveats_heading;
mod evidence;
mod fd_limit;
mod holder;
mod incident;
mod limit;
mod listing;
mod next_step;
mod note;
mod probe;
mod reader;
mod subject;
mod thresholds;
mod verdict;

pub(crate) use advice::{
    check_of_fix, completion, earlier_report, fix, fix_if_leak, if_not_found, restart, verification,
};
pub(crate) use call_site_reason::{call_site_reason, call_site_unknown, has_several_call_sites};
pub(crate) use caveat::{caveat, caveats, caveats_label};
pub(crate) use caveats_heading::caveats_heading;
pub(crate) use evidence::evidence;
pub(crate) use fd_limit::{at_fd_limit, more_at_fd_limit};
pub(crate) use holder::holder;
pub(crate) use incident::{
    growth, leak_headline, limit_forecast, others_below, others_in_replay, retracted_headline,
};
pub(crate) use limit::limit;
pub(crate) use listing::{
    details_omitted, folded_retracted, nothing_listed, possible_leaks, recently_closed,
    show_option, totals, uprobes_left,
};
pub(crate) use next_step::{next_step, remedy};
pub(crate) use note::{fallback_reason, note};
pub(crate) use probe::{absence_costs, attach_error, method_caveat, method_cost, probe};
pub(crate) use reader::reader;
pub(crate) use subject::{amount, destination, named, process, processes};
pub(crate) use thresholds::thresholds;
pub(crate) use verdict::meaning;

use tracer_core::CountOf;

use super::quantity::grouped;

/// `3 of 25`, `all 25`.
fn part(CountOf { count, total }: CountOf) -> String {
    if count == total && total > 1 {
        return format!("all {}", grouped(total as u64));
    }
    format!("{} of {}", grouped(count as u64), grouped(total as u64))
}

/// `3 of 25 connections`, `all 25 connections`, `the connection`.
fn connections(of: CountOf) -> String {
    match of {
        CountOf { count: 1, total: 1 } => "the connection".to_owned(),
        of => format!("{} connections", part(of)),
    }
}

/// `3 of 25 connections`, `any of the 25 connections`: instead of [`connections`] in negative
/// sentences and expressions of doubt.
fn any_connections(of: CountOf) -> String {
    if of.count == of.total && of.total > 1 {
        return format!("any of the {} connections", grouped(of.total as u64));
    }
    connections(of)
}

#[cfg(test)]
pub(crate) mod tests;
