//! Every request, or every user, opens connections of its own and leaves them idle.
//!
//! The usual cause is an HTTP client that is made anew for each request. Somebody waits on each
//! connection for its end, so nothing is unread and nothing is closed; they only are too many.
//! In Go the owners can be told apart. Elsewhere silent streams look the same (WebSocket,
//! server-sent events, long-polling), so there it is never more than possible.

use alloc::{borrow::ToOwned, collections::BTreeSet, format, vec};

use super::{Assessment, Claimed, Rule, never_reused, wording};
use crate::{Confidence, Direction, HttpStage, Interval, TcpState, Verdict, sighting::Sighting};

pub(super) const RULE: Rule = Rule::new(claims, moment, assess).of_one_address();

/// A connection that was used until this long before another one was opened may have been busy
/// then, in milliseconds.
const BUSY_MS: u64 = 1_000;

fn claims(sighting: &Sighting<'_>) -> bool {
    let facts = sighting.facts;
    let is_idle_client = sighting.http().is_none_or(|http| http.stage == HttpStage::Idle);
    sighting.direction == Direction::Outbound
        && facts.state == TcpState::Established
        && facts.unread_bytes == 0
        && facts.rx_bytes > 0
        && sighting.reader().is_there()
        && is_idle_client
        && sighting.is_free_to_act()
        && sighting.idle_ms() >= sighting.options.pool_idle_ms
}

fn moment(sighting: &Sighting<'_>) -> Interval {
    sighting.last_received()
}

/// Members that were opened although another connection to the same destination sat idle, and has
/// ever since. When it was opened is known if it was seen, or if it has served one request only.
fn missed_reuses(claimed: &Claimed<'_, '_>) -> usize {
    let last_use = |sighting: &Sighting<'_>| sighting.last_used_at();
    let Some(longest_idle) = claimed.group.iter().map(last_use).min() else { return 0 };
    claimed.count_where(|member| {
        let is_dated = member.saw_open() || never_reused::was_used_once(member);
        is_dated && member.tracked.opened_at.ms_since(longest_idle) > BUSY_MS
    })
}

fn assess(claimed: &Claimed<'_, '_>) -> Option<Assessment> {
    let (count, enough) = (claimed.count(), claimed.options.count_min);
    let transports: BTreeSet<u64> =
        claimed.members.iter().filter_map(Sighting::http).map(|http| http.transport).collect();
    let once = claimed.count_where(never_reused::was_used_once);
    let missed = missed_reuses(claimed);
    let known = claimed.count_where(|member| member.http().is_some());
    // Several clients that each are used again and again are a design, not a leak, and after their
    // first use they have been used once: one for each of a dozen tenants. More than a large pool
    // that came one after the other are not.
    let is_served_once = transports.len() > claimed.pool_max() && once >= enough;
    let confidence = if known == count {
        match transports.len() {
            owners if owners > claimed.large_pool_max() && is_served_once && claimed.gathered() => {
                Confidence::Certain
            }
            owners if owners >= enough => Confidence::Possible,
            _ => return None,
        }
    } else if count >= enough && missed >= enough {
        Confidence::Possible
    } else {
        return None;
    };
    let mut evidence = vec![format!(
        "{} idle for {}, each with somebody waiting on it",
        wording::sockets(count),
        wording::range(claimed.range_ms(Sighting::idle_ms)),
    )];
    if known == count {
        evidence.push(format!(
            "they belong to {} different http.Transports: one for all would share them",
            transports.len()
        ));
    }
    if missed > 0 {
        evidence.push(format!("{missed} of {count} were opened while another one sat idle"));
    }
    evidence.push(format!("{once} of {count} served one request at the most"));
    evidence.extend(wording::accumulation(claimed, "went silent", "gone silent"));
    if known < count {
        evidence.push("silent streams, such as WebSockets, look the same".to_owned());
    }
    let growth_tells = known == count && is_served_once;
    Some(Assessment { verdict: Verdict::UnsharedPool, confidence, growth_tells, evidence })
}
