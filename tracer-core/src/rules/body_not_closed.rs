//! A response was handed out, and its body was neither read to its end nor closed.
//!
//! That it is out says the ledger, which follows every response of the program itself; so it is
//! known in whatever state the connection has come to be, and with it the line of code that asked
//! for it. What the ledger cannot know is whether somebody will come back to it. Programs wait for
//! long polls and streams (then a goroutine is parked in a read), pass bodies on to slow clients
//! (then one has the response in hand), and pause downloads. So it takes nobody who reads, nothing
//! read for T, and for more than *possible* that nobody has it in hand, or that there are many.
//!
//! In HTTP/2 a connection has many responses, each on a stream, and some goroutine always reads
//! them all into the program's memory. There, bytes that lie in memory and do not become fewer are
//! what nobody reads. Who has a stream in hand is not known, so it is never *certain*; and a stream
//! on which nothing lies may be a watch, and says nothing.
//!
//! The connections of each call site are a finding of their own. N stands for the chance that a few
//! will be come back to; what one destination's responses have in common is the program that forgets
//! them. So a call site with fewer than N counts as one with N if most of its own are as bad and all
//! call sites together have N: a leak of 3 responses at each of 10 places is one of 30.

use alloc::{borrow::ToOwned, format, string::String, vec::Vec};

use super::{Assessment, Claimed, Part, Rule, UNSURE_SHARE, wording};
use crate::{
    Confidence, HttpStage, Interval, Reader, TcpState, Verdict,
    moments::Moments,
    pages::Response,
    sighting::{JIFFIES_MARGIN_MS, Sighting},
};

/// Responses of which it is proved, and the few among them of which it could not be.
pub(super) const NEARLY_PROVEN: Rule = Rule::new(claims_any, moment, assess_nearly_proven);
/// Responses of which it would be if everything could be looked through.
pub(super) const UNSEARCHED: Rule =
    Rule::new(claims_any, moment, assess_unproven).of(Part::Unsearched);
/// Responses of which it is proved.
pub(super) const PROVEN: Rule = Rule::new(claims_proven, moment, assess_proven);
/// The others.
pub(super) const UNPROVEN: Rule = Rule::new(claims_unproven, moment, assess_unproven);

/// A response whose data was read at so many looks was being worked on.
const READS_OF_WORK: u32 = 3;

/// What is known of the responses of some connections.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Responses {
    /// Those that are proved to be leaked, with a ledger or without.
    pub(crate) proven: usize,
    /// Those that are out, that certainly nobody reads and nobody is known to have in hand.
    pub(crate) telling: usize,
}

impl Responses {
    pub(crate) fn of(members: &[Sighting<'_>]) -> Self {
        Self {
            proven: members.iter().filter(|member| member.is_proven_leak()).count(),
            telling: members.iter().filter(|member| claims_any(member)).map(telling).sum(),
        }
    }
}

/// A response of HTTP/1 has been out for T: it is worth knowing who reads it.
pub(super) fn is_out(sighting: &Sighting<'_>) -> bool {
    sighting.responses().any(|it| it.stream.is_none() && is_due(sighting, it))
}

/// The responses on a connection that were neither read to the end nor closed.
pub(crate) fn leaked<'a>(sighting: &Sighting<'a>) -> impl Iterator<Item = &'a Response> + use<'a> {
    let sighting = *sighting;
    // Most connections have none, and need not be looked at further.
    let is_left = !sighting.listed.is_empty() && is_left(&sighting);
    sighting.responses().filter(move |response| {
        is_due(&sighting, response)
            && match response.stream {
                None => is_left,
                Some(stream) => {
                    let unmoved_ms = sighting.now.ms_since(stream.unmoved_since);
                    stream.held_bytes > 0
                        && unmoved_ms >= sighting.options.idle_ms
                        && sighting.is_free_to_act()
                }
            }
    })
}

fn is_due(sighting: &Sighting<'_>, response: &Response) -> bool {
    out_ms(sighting, response) >= sighting.options.idle_ms
}

fn out_ms(sighting: &Sighting<'_>, response: &Response) -> u64 {
    sighting.now.ms_since(response.since)
}

/// Nobody reads the one response that is out on the connection, and nobody has of late.
fn is_left(sighting: &Sighting<'_>) -> bool {
    let states = [TcpState::Established, TcpState::CloseWait, TcpState::Closed];
    states.contains(&sighting.facts.state)
        && !sighting.reader().is_there()
        // While it waits for a response, or has none, `readLoop` is the reader itself.
        && sighting.http().is_none_or(|http| http.stage != HttpStage::Idle)
        && has_begun(sighting)
        && !sighting.is_being_read()
        // A process that sends on the connection uses it.
        && sighting.overdue(sighting.sent_ms())
        && sighting.is_free_to_act()
}

/// Something came after it was asked for. Until then there is nothing to read or to close.
fn has_begun(sighting: &Sighting<'_>) -> bool {
    let since = sighting.responses().map(|response| response.since).max().unwrap_or_default();
    // By the coarse clock it may seem to have come a little before.
    let received = sighting.facts.last_received_at.unwrap_or_default();
    sighting.facts.fin_received == Some(true) || received >= since.before_ms(JIFFIES_MARGIN_MS)
}

/// For T there has been something to read, be it the end: whoever waited for it would have been
/// woken.
fn is_lying(sighting: &Sighting<'_>) -> bool {
    let (facts, tracked) = (sighting.facts, sighting.tracked);
    let lying_ms = if facts.unread_bytes > 0 {
        sighting.now.ms_since(tracked.unread_since)
    } else if facts.pending_error == Some(true) {
        tracked.died.map_or(0, |died| sighting.now.ms_since(died.latest))
    } else if facts.fin_received == Some(true) && !facts.drained {
        sighting.peer_closed_ms().0
    } else {
        0
    };
    lying_ms >= sighting.options.idle_ms
}

/// The responses on a connection that certainly nobody reads, and nobody is known to have in hand.
fn telling(sighting: &Sighting<'_>) -> usize {
    let is_left_lying = match sighting.reader() {
        Reader::None => sighting.is_proven() || !sighting.awaits_body(),
        // That it is not known who reads is no evidence.
        _ => is_lying(sighting),
    };
    leaked(sighting)
        .filter(|response| response.stream.map_or(is_left_lying, |stream| !stream.was_read))
        .count()
}

fn claims_any(sighting: &Sighting<'_>) -> bool {
    // Nearly all connections have none.
    !sighting.listed.is_empty() && leaked(sighting).next().is_some()
}

fn claims_proven(sighting: &Sighting<'_>) -> bool {
    claims_any(sighting) && is_proven(sighting)
}

fn claims_unproven(sighting: &Sighting<'_>) -> bool {
    claims_any(sighting) && !is_proven(sighting)
}

/// No goroutine reads the response, waits to or has it in hand.
fn is_proven(sighting: &Sighting<'_>) -> bool {
    sighting.is_proven() && !sighting.is_multiplexed()
}

fn moment(sighting: &Sighting<'_>) -> Interval {
    let oldest = leaked(sighting).map(|response| response.since).min();
    Interval::exact(oldest.unwrap_or(sighting.now))
}

fn assess_nearly_proven(claimed: &Claimed<'_, '_>) -> Option<Assessment> {
    let (count, proven) = (responses(claimed), claimed.count_where(is_proven));
    let (unsure, in_group) = (count - proven, claimed.responses_of_group.proven);
    let enough = claimed.options.count_min;
    let is_enough = proven > 0 && (count >= enough || in_group >= enough);
    let is_certain = is_enough && unsure * UNSURE_SHARE <= count;
    is_certain.then(|| assessment(claimed, Confidence::Certain, Some(in_group)))
}

fn assess_proven(claimed: &Claimed<'_, '_>) -> Option<Assessment> {
    if claimed.is_proven() {
        let in_group = claimed.responses_of_group.proven;
        return Some(assessment(claimed, Confidence::Certain, Some(in_group)));
    }
    // A few downloads that are paused look the same.
    let worked_on = claimed.count_where(was_worked_on);
    let is_likely = 2 * worked_on <= claimed.count();
    let confidence = if is_likely { Confidence::Likely } else { Confidence::Possible };
    Some(assessment(claimed, confidence, None))
}

fn assess_unproven(claimed: &Claimed<'_, '_>) -> Option<Assessment> {
    let (count, held) = (responses(claimed), claimed.held());
    if held == count && held < claimed.options.count_min {
        // So few that somebody has in hand are somebody's work.
        return None;
    }
    let telling: usize = claimed.members.iter().map(telling).sum();
    let in_group = claimed.responses_of_group.telling;
    let is_telling = claimed.is_enough(telling, count, in_group) && !is_held_up(claimed);
    let confidence = if is_telling { Confidence::Likely } else { Confidence::Possible };
    Some(assessment(claimed, confidence, is_telling.then_some(in_group)))
}

/// The process waits for its own slow clients, or may: as many of them as there are responses.
fn is_held_up(claimed: &Claimed<'_, '_>) -> bool {
    let stalled = claimed.stalled;
    claimed.is_held_up() || (stalled > 0 && stalled >= streams(claimed).count())
}

/// The application went on to read it after the beginning, as who downloads something large does.
fn was_worked_on(sighting: &Sighting<'_>) -> bool {
    sighting.tracked.reads >= READS_OF_WORK && !sighting.is_multiplexed()
}

fn responses(claimed: &Claimed<'_, '_>) -> usize {
    claimed.members.iter().map(|member| leaked(member).count()).sum()
}

/// The responses of HTTP/2 that were leaked.
fn streams<'a>(claimed: &Claimed<'_, 'a>) -> impl Iterator<Item = (Sighting<'a>, &'a Response)> {
    let pairs = claimed.members.iter().flat_map(|member| {
        let member = *member;
        leaked(&member).map(move |response| (member, response))
    });
    pairs.filter(|(_, response)| response.stream.is_some())
}

/// `enough` is how many in the group are as bad, if that or their own number makes a pattern.
fn assessment(
    claimed: &Claimed<'_, '_>,
    confidence: Confidence,
    enough: Option<usize>,
) -> Assessment {
    let (own, count_min) = (responses(claimed), claimed.options.count_min);
    let mut evidence = Vec::new();
    evidence.extend(handed_out(claimed));
    evidence.extend(held_in_memory(claimed));
    if claimed.count_where(Sighting::is_multiplexed) < claimed.count() {
        evidence.extend(wording::readers(claimed));
        evidence.extend(unknown(claimed));
    } else if is_held_up(claimed) {
        evidence.push(wording::held_up(claimed));
    }
    evidence.extend(accumulation(claimed));
    if place(claimed).is_none() {
        evidence.push("where they were requested is not known".to_owned());
    }
    if confidence < Confidence::Certain {
        evidence.extend(paused(claimed));
    }
    match enough {
        _ if own >= count_min => {}
        Some(in_group) => evidence
            .push(format!("they are as bad as others to this destination, {in_group} in all")),
        None => evidence.push(format!(
            "{count_min} would be telling; so few may be responses that somebody will come back to"
        )),
    }
    let growth_tells = enough.is_some();
    Assessment { verdict: Verdict::BodyNotClosed, confidence, growth_tells, evidence }
}

/// What somebody may come back to, for it was being read before.
fn paused(claimed: &Claimed<'_, '_>) -> Option<String> {
    let was_read = |response: &Response| response.stream.is_some_and(|stream| stream.was_read);
    let streams = streams(claimed).filter(|(_, response)| was_read(response)).count();
    let count = claimed.count_where(was_worked_on) + streams;
    let all = responses(claimed);
    (count > 0).then(|| format!("{count} of {all} were read for a while and may be paused"))
}

/// Where they were asked for: all are of one place.
fn place<'a>(claimed: &Claimed<'_, 'a>) -> Option<&'a str> {
    let member = claimed.members.first()?;
    member.place(leaked(member).next()?)
}

/// How many of HTTP/1, and since when.
fn handed_out(claimed: &Claimed<'_, '_>) -> Option<String> {
    let members = claimed.members.iter().filter(|member| !member.is_multiplexed());
    let out = members.flat_map(|member| leaked(member).map(|it| out_ms(member, it)));
    let out: Vec<u64> = out.collect();
    let (least, greatest) = (out.iter().min()?, out.iter().max()?);
    Some(format!(
        "{} requested {} ago, neither read to the end nor closed",
        wording::responses(out.len()),
        wording::range((*least, *greatest)),
    ))
}

/// How many of HTTP/2, and what they take.
fn held_in_memory(claimed: &Claimed<'_, '_>) -> Option<String> {
    let connections = claimed.count_where(Sighting::is_multiplexed);
    let held = |response: &Response| response.stream.map_or(0, |stream| stream.held_bytes);
    let unmoved = |(member, response): (Sighting<'_>, &Response)| {
        response.stream.map_or(0, |stream| member.now.ms_since(stream.unmoved_since))
    };
    let count = streams(claimed).count();
    let least = streams(claimed).map(unmoved).min()?;
    let greatest = streams(claimed).map(unmoved).max()?;
    let bytes: u64 = streams(claimed).map(|(_, response)| held(response)).sum();
    Some(format!(
        "{count} stream{} of HTTP/2 on {}, {} held in the program's memory, and nobody \
         has read them for {}",
        if count == 1 { "" } else { "s" },
        wording::sockets(connections),
        wording::size(bytes),
        wording::range((least, greatest)),
    ))
}

/// What could not be told of whom.
fn unknown(claimed: &Claimed<'_, '_>) -> Option<String> {
    let is_unknown =
        |member: &Sighting<'_>| member.reader() == Reader::Unknown && !member.is_multiplexed();
    let unknown = claimed.count_where(is_unknown);
    let lying = claimed.count_where(|member| is_unknown(member) && is_lying(member));
    match (unknown, lying) {
        (0, _) => None,
        (_, 0) => {
            Some(format!("who waits to read from {unknown} of {} is not known", claimed.count()))
        }
        _ => Some(format!(
            "something to read lies on {lying} of {}, so nobody waits for it",
            claimed.count()
        )),
    }
}

/// What the moments say: those of the responses, of which one connection may have many.
fn accumulation(claimed: &Claimed<'_, '_>) -> Option<String> {
    let since = claimed.members.iter().flat_map(leaked).map(|it| Interval::exact(it.since));
    let moments = Moments::of(since, claimed.options.gap_ms());
    let is_one = moments.separate < 2;
    (!is_one).then(|| wording::rise(claimed, moments, "were requested"))
}
