//! **body-not-closed**: an HTTP response was requested, and its body was neither read to EOF nor
//! closed.
//!
//! Uprobes track every response of the program, so a leaked response is known whatever the state of
//! its connection, and with it the line of code that requested it. What they do not show is whether
//! a goroutine will still read the response. Programs wait for long polls and streams (then a
//! goroutine is parked in a read), forward bodies to slow clients (then a goroutine references the
//! response), and pause downloads.
//!
//! Claim (HTTP/1): open for `--idle`, something was received since the request, no reader is
//! waiting, and nothing was read or sent for `--idle`. Claim (HTTP/2): open for `--idle`, and
//! data is buffered in the program's memory, none of which was read for `--idle`. In HTTP/2, a
//! goroutine always reads the connection into memory, so the kernel's receive queue is not
//! evidence; neither is a stream without data, which may be a watch.
//!
//! - *certain*: confirmed by heap search (HTTP/1 only; whether something references a stream
//!   is unknown).
//! - *likely*: fewer confirmed responses, not read in several parts; or at least `--min-count`
//!   responses that certainly have no reader and are not known to be referenced.
//! - *possible*: otherwise.
//!
//! Lookalikes: paused downloads, long polls, forwarding to slow clients.
//!
//! The responses of each call site are a finding of their own. `--min-count` allows for the few
//! responses that a program may still read. All responses to one destination come from the same
//! program, so a call site with fewer than `--min-count` is treated as if it had enough when most
//! of its own are in the same state and all call sites together reach it: a leak of 3 responses at
//! each of 10 call sites is treated as a leak of 30.

use super::{Assessment, Claimed, Reasons, Rule, RuleId, ScanSubset, shared_evidence::recurrence};
use crate::{
    Caveat, Confidence, CountOf, Evidence, HttpStage, Interval, Occurrence, Reader, TcpState,
    Verdict,
    connection_view::ConnectionView,
    open_responses::Response,
    rules::claimed::{ResponseCounts, UNSURE_ONE_IN, range},
    separate_times::SeparateTimes,
    time::JIFFIES_MARGIN_MS,
};

pub(super) const NEARLY_CONFIRMED: Rule =
    Rule::new(RuleId::BodyNotClosed, claims, occurred, assess_nearly_confirmed)
        .selecting(ScanSubset::NearlyConfirmed);
pub(super) const SCAN_INCOMPLETE: Rule =
    Rule::new(RuleId::BodyNotClosed, claims, occurred, assess_unconfirmed)
        .restricted_to(ScanSubset::ScanIncomplete);
pub(super) const CONFIRMED: Rule =
    Rule::new(RuleId::BodyNotClosed, claims_confirmed, occurred, assess_confirmed)
        .selecting(ScanSubset::Confirmed);
pub(super) const UNCONFIRMED: Rule =
    Rule::new(RuleId::BodyNotClosed, claims_unconfirmed, occurred, assess_unconfirmed)
        .selecting(ScanSubset::Unconfirmed);

/// A response counts as being processed if at least this many snapshots showed reads.
const PARTIAL_READS_MIN: u32 = 3;

impl ResponseCounts {
    pub(crate) fn of<'v, 'a: 'v>(
        members: impl Iterator<Item = &'v ConnectionView<'a>> + Clone,
    ) -> Self {
        let open = members.clone().filter(|member| claims(member));
        Self {
            confirmed: members.filter(|member| member.is_confirmed_leak()).count(),
            without_reader: open.map(without_reader).sum(),
        }
    }
}

/// Whether an HTTP/1 response has been open for `--idle`, so that its reader matters.
pub(super) fn has_open_response(view: &ConnectionView<'_>) -> bool {
    view.responses().any(|it| it.stream.is_none() && is_due(view, it))
}

/// The leaked responses of a connection: open for `--idle`, without a reader or use.
pub(crate) fn leaked<'a>(
    view: &ConnectionView<'a>,
) -> impl Iterator<Item = &'a Response> + use<'a> {
    let view = *view;
    // Most connections have no responses, and need no further checks.
    let is_untouched = !view.listed.is_empty() && is_untouched(&view);
    view.responses().filter(move |response| {
        is_due(&view, response)
            && match response.stream {
                None => is_untouched,
                Some(stream) => {
                    let unread_ms = view.now.ms_since(stream.unread_since);
                    stream.held_bytes > 0 && unread_ms >= view.options.idle_ms && view.can_run()
                }
            }
    })
}

fn is_due(view: &ConnectionView<'_>, response: &Response) -> bool {
    age_ms(view, response) >= view.options.idle_ms
}

fn age_ms(view: &ConnectionView<'_>, response: &Response) -> u64 {
    view.now.ms_since(response.since)
}

/// Whether no reader is waiting for the one response of the connection, and none was seen within
/// `--idle`.
fn is_untouched(view: &ConnectionView<'_>) -> bool {
    let states = [TcpState::Established, TcpState::CloseWait, TcpState::Closed];
    states.contains(&view.facts.state)
        && !view.reader().is_waiting()
        // While `readLoop` is waiting for a response, or has none, it is itself the reader.
        && view.http().is_none_or(|http| http.stage != HttpStage::Idle)
        && has_begun(view)
        && !view.is_being_read()
        // A process that sends on the connection uses it.
        && view.is_overdue(view.sent_ms())
        && view.can_run()
}

/// Whether something was received since the request. Until then, there is nothing to read or close.
fn has_begun(view: &ConnectionView<'_>) -> bool {
    let since = view.responses().map(|response| response.since).max().unwrap_or_default();
    // The timestamp is coarse, so the data may seem to have arrived slightly before the request.
    let received = view.facts.last_received_at.unwrap_or_default();
    view.facts.fin_received == Some(true) || received >= since.before_ms(JIFFIES_MARGIN_MS)
}

/// Whether data, EOF or an error has been pending for `--idle`: a reader would have been woken.
fn is_pending(view: &ConnectionView<'_>) -> bool {
    let (facts, tracked) = (view.facts, view.tracked);
    let pending_ms = if facts.unread_bytes > 0 {
        view.now.ms_since(tracked.unread_since)
    } else if facts.pending_error == Some(true) {
        tracked.died.map_or(0, |died| view.now.ms_since(died.latest))
    } else if facts.fin_received == Some(true) && !facts.drained {
        view.peer_closed_ago().min_ms
    } else {
        0
    };
    pending_ms >= view.options.idle_ms
}

/// How many leaked responses of a connection certainly have no reader and are not known to be
/// referenced.
fn without_reader(view: &ConnectionView<'_>) -> usize {
    let is_without_reader = match view.reader() {
        Reader::None => view.is_confirmed() || !view.awaits_body(),
        // An unknown reader is not evidence, and neither is a missing answer.
        _ => view.was_asked() && is_pending(view),
    };
    leaked(view)
        .filter(|response| response.stream.map_or(is_without_reader, |stream| !stream.was_read))
        .count()
}

fn claims(view: &ConnectionView<'_>) -> bool {
    // Nearly all connections have no responses.
    !view.listed.is_empty() && leaked(view).next().is_some()
}

fn claims_confirmed(view: &ConnectionView<'_>) -> bool {
    claims(view) && is_confirmed(view)
}

fn claims_unconfirmed(view: &ConnectionView<'_>) -> bool {
    claims(view) && !is_confirmed(view)
}

fn is_confirmed(view: &ConnectionView<'_>) -> bool {
    view.is_confirmed() && !view.is_multiplexed()
}

fn occurred(view: &ConnectionView<'_>) -> Interval {
    let oldest = leaked(view).map(|response| response.since).min();
    Interval::exact(oldest.unwrap_or(view.now))
}

fn assess_nearly_confirmed(claimed: &Claimed<'_, '_>) -> Option<Assessment> {
    let (count, confirmed) = (responses(claimed), claimed.count_where(is_confirmed));
    let (unsure, in_group) = (count - confirmed, claimed.responses_of_group.confirmed);
    let enough = claimed.options.count_min;
    let is_enough = confirmed > 0 && (count >= enough || in_group >= enough);
    let is_certain = is_enough && unsure * UNSURE_ONE_IN <= count;
    is_certain.then(|| assessment(claimed, Confidence::Certain, Some(in_group)))
}

fn assess_confirmed(claimed: &Claimed<'_, '_>) -> Option<Assessment> {
    if claimed.is_confirmed() {
        let in_group = claimed.responses_of_group.confirmed;
        return Some(assessment(claimed, Confidence::Certain, Some(in_group)));
    }
    // A few paused downloads look the same.
    let processed = claimed.count_where(was_processed);
    let is_likely = 2 * processed <= claimed.count();
    let confidence = if is_likely { Confidence::Likely } else { Confidence::Possible };
    Some(assessment(claimed, confidence, None))
}

fn assess_unconfirmed(claimed: &Claimed<'_, '_>) -> Option<Assessment> {
    let (count, held) = (responses(claimed), claimed.held());
    if held == count && held < claimed.options.count_min {
        // The few that goroutines reference are being processed.
        return None;
    }
    let without_reader: usize = claimed.members.iter().map(without_reader).sum();
    let in_group = claimed.responses_of_group.without_reader;
    let is_likely = claimed.is_enough(without_reader, count, in_group) && !claimed.may_be_resumed();
    let confidence = if is_likely { Confidence::Likely } else { Confidence::Possible };
    Some(assessment(claimed, confidence, is_likely.then_some(in_group)))
}

/// Whether the application read the response in several parts, as it does with a large download.
fn was_processed(view: &ConnectionView<'_>) -> bool {
    view.tracked.reads >= PARTIAL_READS_MIN && !view.is_multiplexed()
}

fn responses(claimed: &Claimed<'_, '_>) -> usize {
    claimed.members.iter().map(|member| leaked(member).count()).sum()
}

/// The leaked HTTP/2 responses of the group.
fn streams<'a>(
    claimed: &Claimed<'_, 'a>,
) -> impl Iterator<Item = (ConnectionView<'a>, &'a Response)> {
    let pairs = claimed.members.iter().flat_map(|member| {
        let member = *member;
        leaked(&member).map(move |response| (member, response))
    });
    pairs.filter(|(_, response)| response.stream.is_some())
}

/// The assessment of responses that are not confirmed. `in_same_state` is the number of responses
/// of the group that are in the same state, if that number or the call site's own number is enough.
fn assessment(
    claimed: &Claimed<'_, '_>,
    confidence: Confidence,
    in_same_state: Option<usize>,
) -> Assessment {
    let (count, count_min) = (responses(claimed), claimed.options.count_min);
    let mut reasons = Reasons::default();
    reasons.evidence.extend(open_responses(claimed));
    reasons.evidence.extend(streams_unread(claimed));
    if claimed.count_where(ConnectionView::is_multiplexed) < claimed.count() {
        reasons.add_readers(claimed);
        add_pending(&mut reasons, claimed);
    }
    reasons.evidence.extend(request_times(claimed));
    if confidence < Confidence::Certain {
        add_pauses(&mut reasons, claimed, count);
    }
    match in_same_state {
        _ if count >= count_min => {}
        Some(count) => reasons.add(Evidence::SameDestination { count }),
        None => reasons.add_caveat(Caveat::TooFewResponses { count, count_min }),
    }
    let growth_raises_confidence = in_same_state.is_some();
    Assessment { verdict: Verdict::BodyNotClosed, confidence, growth_raises_confidence, reasons }
}

/// Adds the responses that the application may still read, because it read them in several parts
/// before.
fn add_pauses(reasons: &mut Reasons, claimed: &Claimed<'_, '_>, total: usize) {
    let was_read = |response: &Response| response.stream.is_some_and(|stream| stream.was_read);
    let streams = streams(claimed).filter(|(_, response)| was_read(response)).count();
    let count = claimed.count_where(was_processed) + streams;
    if count > 0 {
        reasons.add_caveat(Caveat::PausePossible(CountOf { count, total }));
    }
}

/// The evidence about HTTP/1: the number of open responses, and how long they have been open.
fn open_responses(claimed: &Claimed<'_, '_>) -> Option<Evidence> {
    let members = claimed.members.iter().filter(|member| !member.is_multiplexed());
    let ages = || members.clone().flat_map(|member| leaked(member).map(|it| age_ms(member, it)));
    let count = ages().count();
    (count > 0).then(|| Evidence::OpenResponses { count, age: range(ages()) })
}

/// The evidence about HTTP/2: the number of open responses, and how much memory they use.
fn streams_unread(claimed: &Claimed<'_, '_>) -> Option<Evidence> {
    let held_bytes = |response: &Response| response.stream.map_or(0, |stream| stream.held_bytes);
    let unread_ms = |(member, response): (ConnectionView<'_>, &Response)| {
        response.stream.map_or(0, |stream| member.now.ms_since(stream.unread_since))
    };
    let count = streams(claimed).count();
    let bytes = streams(claimed).map(|(_, response)| held_bytes(response));
    (count > 0).then(|| Evidence::StreamsUnread {
        streams: count,
        connections: claimed.count_where(ConnectionView::is_multiplexed),
        buffered_bytes: bytes.fold(0, u64::saturating_add),
        unread: range(streams(claimed).map(unread_ms)),
    })
}

/// Adds what pending data shows about connections whose reader is unknown.
fn add_pending(reasons: &mut Reasons, claimed: &Claimed<'_, '_>) {
    let is_unknown = |member: &ConnectionView<'_>| {
        member.reader() == Reader::Unknown && !member.is_multiplexed()
    };
    let unknown = claimed.count_where(is_unknown);
    let is_evident = |member: &ConnectionView<'_>| {
        is_unknown(member) && member.was_asked() && is_pending(member)
    };
    let pending = claimed.count_where(is_evident);
    match (unknown, pending) {
        (0, _) => {}
        (_, 0) => reasons.add_caveat(Caveat::ReaderUnknown(claimed.of_all(unknown))),
        _ => reasons.add(Evidence::DataPending(claimed.of_all(pending))),
    }
}

/// The number of separate times at which the responses were requested: a connection may have many.
fn request_times(claimed: &Claimed<'_, '_>) -> Option<Evidence> {
    let since = claimed.members.iter().flat_map(leaked).map(|it| Interval::exact(it.since));
    let times = SeparateTimes::of(since, claimed.options.gap_ms(), claimed.options.idle_ms);
    (times.count > 1 || times.series.is_some())
        .then(|| recurrence(claimed, times, Occurrence::Requested))
}
