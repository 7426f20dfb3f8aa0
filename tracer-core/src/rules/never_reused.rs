//! Each served once and was never used again.
//!
//! What the kernel cannot separate: a small response that nobody will read to its end, and a
//! private pool that nobody will use again. Both are worth a look, so it is said, once, in words.

use alloc::{borrow::ToOwned, format, vec};

use super::{Assessment, Claimed, Rule, wording};
use crate::{Confidence, Direction, HttpStage, Interval, TcpState, Verdict, sighting::Sighting};

pub(super) const RULE: Rule = Rule::new(claims, moment, assess).of_one_address();

/// Segments with data that one exchange takes a client at the most: a request is one as a rule,
/// and a TLS handshake before it takes two or three.
const SEGMENTS_MAX: u32 = 4;

/// It sent something, and too little for two requests over TLS.
pub(super) fn was_used_once(sighting: &Sighting<'_>) -> bool {
    (1..=SEGMENTS_MAX).contains(&sighting.facts.data_segments_sent)
}

/// It has served once, or what it brought lies unread: nobody has worked with it.
pub(super) fn was_left(sighting: &Sighting<'_>) -> bool {
    let facts = sighting.facts;
    facts.unread_bytes > 0 || facts.data_segments_sent <= SEGMENTS_MAX
}

fn claims(sighting: &Sighting<'_>) -> bool {
    let facts = sighting.facts;
    sighting.direction == Direction::Outbound
        && facts.state == TcpState::Established
        && facts.unread_bytes <= sighting.options.unread_min_bytes
        && facts.rx_bytes > 0
        && was_used_once(sighting)
        // A goroutine that reads a stream has use for it.
        && sighting.http().is_none_or(|http| http.stage == HttpStage::Idle)
        && sighting.is_free_to_act()
        && sighting.overdue(sighting.idle_ms())
}

fn moment(sighting: &Sighting<'_>) -> Interval {
    sighting.last_received()
}

fn assess(claimed: &Claimed<'_, '_>) -> Option<Assessment> {
    let pooled = claimed.count_where(|member| member.http().is_some());
    // A pool of Go's HTTP client is known for what it is.
    let is_enough = claimed.count() >= claimed.options.count_min && pooled == 0;
    if !is_enough || !claimed.rising() {
        return None;
    }
    let evidence = vec![
        format!(
            "{} answered once and never used again, silent for {}",
            wording::sockets(claimed.count()),
            wording::range(claimed.range_ms(Sighting::idle_ms)),
        ),
        wording::accumulation(claimed, "went silent", "gone silent").unwrap_or_default(),
        "small responses that nobody reads to their end, and clients made anew for each request, \
         look the same from outside"
            .to_owned(),
    ];
    Some(Assessment {
        verdict: Verdict::NeverReused,
        confidence: Confidence::Possible,
        growth_tells: false,
        evidence,
    })
}
