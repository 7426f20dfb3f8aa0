//! The numbers of evidence and caveats in JSON. A duration `silent` is in the fields `silent_min_s`
//! and `silent_max_s`.

use std::fmt::Display;

use tracer_core::{Caveat, CountOf, Counted, DurationRange, Evidence, Recurrence};

use super::coded::{Coded, CountedValue, Field};
use crate::output::words;

const AGE: [&str; 2] = ["age_min_s", "age_max_s"];
const AGO: [&str; 2] = ["ago_min_s", "ago_max_s"];
const DEAD: [&str; 2] = ["dead_min_s", "dead_max_s"];
const IDLE: [&str; 2] = ["idle_min_s", "idle_max_s"];
const SILENT: [&str; 2] = ["silent_min_s", "silent_max_s"];
const STALLED: [&str; 2] = ["stalled_min_s", "stalled_max_s"];
const UNREAD: [&str; 2] = ["unread_min_s", "unread_max_s"];
const WAITING: [&str; 2] = ["waiting_min_s", "waiting_max_s"];
const WATCHED: [&str; 2] = ["watched_min_s", "watched_max_s"];

/// One fact behind a finding.
pub(super) fn evidence(fact: &Evidence) -> Coded {
    let coded = Coded::new(fact.code(), &words::evidence(fact));
    match fact {
        Evidence::PeerClosed { count, ago } => coded.count(*count).range(AGO, *ago),
        Evidence::EofReceived(of)
        | Evidence::DeathReported(of)
        | Evidence::PeerGaveUp(of)
        | Evidence::DataPending(of)
        | Evidence::ResponseUnreferenced(of)
        | Evidence::NoReader(of)
        | Evidence::OpenedWhileOthersIdle(of)
        | Evidence::ServedAtMostOnce(of) => coded.count_of(*of),
        Evidence::Dead { count, dead, is_lower_bound } => coded
            .count(*count)
            .range(DEAD, *dead)
            .with("is_lower_bound", Field::Flag(*is_lower_bound)),
        Evidence::DeathUnnoticed { count }
        | Evidence::SameDestination { count }
        | Evidence::NoReaderNoEpoll { count }
        | Evidence::NoThreadNoEpoll { count } => coded.count(*count),
        Evidence::NeverRead { count, received_bytes, waiting } => {
            coded.count(*count).integer("received_bytes", *received_bytes).range(WAITING, *waiting)
        }
        Evidence::UnreadSilent { count, unread_bytes, silent } => {
            coded.count(*count).integer("unread_bytes", *unread_bytes).range(SILENT, *silent)
        }
        Evidence::UnreadGrowing { count, unread_bytes } => {
            coded.count(*count).integer("unread_bytes", *unread_bytes)
        }
        Evidence::NothingRead { watched } => coded.range(WATCHED, *watched),
        Evidence::ResponseSilent { count, silent }
        | Evidence::SilentWithoutReader { count, silent }
        | Evidence::NothingAcknowledged { count, silent }
        | Evidence::ServedOnce { count, silent }
        | Evidence::OpenedByAnother { count, silent } => silent_for(coded, *count, *silent),
        Evidence::OpenResponses { count, age } => coded.count(*count).range(AGE, *age),
        Evidence::StreamsUnread { streams, connections, buffered_bytes, unread } => coded
            .integer("streams", *streams)
            .integer("connections", *connections)
            .integer("buffered_bytes", *buffered_bytes)
            .range(UNREAD, *unread),
        Evidence::Requests { top, others } | Evidence::CallSites { top, others } => {
            most_frequent(coded, top, *others)
        }
        Evidence::Destinations { top, others } => most_frequent(coded, top, *others),
        Evidence::SeparateTimes(it) => recurrence(coded, *it),
        Evidence::Rising { recurrence: it, since_last_ms }
        | Evidence::Ceased { recurrence: it, since_last_ms } => {
            recurrence(coded, *it).seconds("since_last_s", *since_last_ms)
        }
        Evidence::Series { occurrence, count, span_ms, pause_max_ms, since_last_ms } => coded
            .text("occurrence", occurrence.code())
            .count(*count)
            .seconds("span_s", *span_ms)
            .seconds("pause_max_s", *pause_max_ms)
            .seconds("since_last_s", *since_last_ms),
        Evidence::FdLimitReached { count, open, limit } => {
            coded.count(*count).integer("open", *open).integer("limit", *limit)
        }
        Evidence::CountRose { windows, from, to }
        | Evidence::HalfClosedRose { windows, from, to } => {
            coded.integer("windows", *windows).integer("from", *from).integer("to", *to)
        }
        Evidence::ProbesUnanswered { count, total, consecutive_max } => coded
            .count(*count)
            .integer("total", *total)
            .integer("consecutive_max", *consecutive_max),
        Evidence::DataRetransmitted { count, total, retransmits_max } => coded
            .count(*count)
            .integer("total", *total)
            .integer("retransmits_max", *retransmits_max),
        Evidence::IdleWithReader { count, idle } => coded.count(*count).range(IDLE, *idle),
        Evidence::SeparateTransports { transports } => coded.integer("transports", *transports),
        Evidence::Opener { pid } => coded.integer("pid", *pid),
        Evidence::CloseOnExecMissing | Evidence::ForkedFromOpener => coded,
        Evidence::SendStalled { count, unsent_bytes, stalled } => {
            coded.count(*count).integer("unsent_bytes", *unsent_bytes).range(STALLED, *stalled)
        }
    }
}

/// One reason why the confidence of a finding is not higher.
pub(super) fn caveat(fact: &Caveat) -> Coded {
    let coded = Coded::new(fact.code(), &words::caveat(fact));
    match fact {
        Caveat::HalfClosePossible(of)
        | Caveat::EofUnconfirmed(of)
        | Caveat::CloseTimeUnknown(of)
        | Caveat::ScanIncomplete(of)
        | Caveat::ReaderWaiting(of)
        | Caveat::ReaderUnknown(of)
        | Caveat::PausePossible(of)
        | Caveat::PartlyRead(of)
        | Caveat::NotInspected(of) => coded.count_of(*of),
        Caveat::ResponseReferenced { count, total, holder } => coded
            .count_of(CountOf { count: *count, total: *total })
            .nullable("holder", holder.as_ref().map(words::holder).as_deref()),
        Caveat::CleanedUp { alive_max } | Caveat::AliveTogether { alive_max } => {
            coded.integer("alive_max", *alive_max)
        }
        Caveat::UsedAgain { count_min } => coded.integer("count_min", *count_min),
        Caveat::Undecided { watch_ms } => coded.seconds("watch_s", *watch_ms),
        Caveat::ShortSeries { lasted_ms, needed_ms, watch_ms } => coded
            .seconds("lasted_s", *lasted_ms)
            .seconds("needed_s", *needed_ms)
            .seconds("watch_s", *watch_ms),
        Caveat::SendBlocked { connections }
        | Caveat::HalfClosedPeers { connections }
        | Caveat::AwaitsCollection { connections } => coded.integer("connections", *connections),
        Caveat::OthersBeingRead { count } | Caveat::OthersBeingServed { count } => {
            coded.count(*count)
        }
        Caveat::ProcessResumed { ago_ms } => coded.seconds("ago_s", *ago_ms),
        Caveat::WatchedTooBriefly { needed_ms } => coded.seconds("needed_s", *needed_ms),
        Caveat::TooLittleUnread { count, total, unread_min_bytes, count_min } => coded
            .count(*count)
            .integer("total", *total)
            .integer("unread_min_bytes", *unread_min_bytes)
            .integer("count_min", *count_min),
        Caveat::TooFewResponses { count, count_min }
        | Caveat::TooFewInherited { count, count_min } => {
            coded.count(*count).integer("count_min", *count_min)
        }
        Caveat::SingleCausePossible
        | Caveat::SingleBurstPossible
        | Caveat::CannotGrow
        | Caveat::ThreadPoolPossible
        | Caveat::IdlePoolPossible
        | Caveat::StreamPossible
        | Caveat::CauseAmbiguous
        | Caveat::ProcessStopped
        | Caveat::OpenerNotSeen
        | Caveat::ExecUnknown => coded,
    }
}

fn silent_for(coded: Coded, count: usize, silent: DurationRange) -> Coded {
    coded.count(count).range(SILENT, silent)
}

fn recurrence(coded: Coded, Recurrence { occurrence, times, span_ms }: Recurrence) -> Coded {
    coded.text("occurrence", occurrence.code()).integer("times", times).seconds("span_s", span_ms)
}

fn most_frequent<T: Display>(coded: Coded, top: &[Counted<T>], others: usize) -> Coded {
    let top = top.iter().map(|Counted { value, count }| CountedValue {
        value: value.to_string(),
        count: *count as u64,
    });
    coded.with("top", Field::Counted(top.collect())).integer("others", others)
}
