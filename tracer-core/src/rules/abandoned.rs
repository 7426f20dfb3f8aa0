//! Open, with little or nothing unread, silent for T, and nobody waits for anything on it.
//!
//! For the kernel, the connection of a forgotten response is the same as an idle one of a healthy
//! pool. What tells them apart is in the process: Go's HTTP client keeps a goroutine that waits for
//! the body of the response to be read or closed. Without that proof it is only possible, as many
//! database and cache drivers leave idle connections without a reader.

use alloc::{borrow::ToOwned, format, vec};

use super::{Assessment, Claimed, Part, Rule, wording};
use crate::{Confidence, Interval, Reader, TcpState, Verdict, sighting::Sighting};

/// Connections of which it is proved, and the few among them of which it could not be.
pub(super) const NEARLY_PROVEN: Rule =
    Rule::new(claims, moment, assess_proven).of(Part::NearlyProven);
/// Connections of which it would be if everything could be looked through.
pub(super) const UNSEARCHED: Rule = Rule::new(claims, moment, assess_proven).of(Part::Unsearched);
/// Connections of which it is proved.
pub(super) const PROVEN: Rule = Rule::new(claims_proven, moment, assess_proven);
/// The others.
pub(super) const UNPROVEN: Rule =
    Rule::new(claims_unproven, moment, assess_unproven).of_one_address();

fn claims(sighting: &Sighting<'_>) -> bool {
    let facts = sighting.facts;
    facts.state == TcpState::Established
        // More than this is `undrained`, whoever is to read it.
        && facts.unread_bytes <= sighting.options.unread_min_bytes
        && sighting.reader() == Reader::None
        && sighting.is_free_to_act()
        && sighting.overdue(sighting.idle_ms())
}

fn claims_proven(sighting: &Sighting<'_>) -> bool {
    claims(sighting) && sighting.is_proven()
}

fn claims_unproven(sighting: &Sighting<'_>) -> bool {
    claims(sighting) && !sighting.is_proven()
}

fn moment(sighting: &Sighting<'_>) -> Interval {
    sighting.last_received()
}

fn assess_proven(claimed: &Claimed<'_, '_>) -> Option<Assessment> {
    let enough = claimed.is_proven();
    let confidence = if enough { Confidence::Certain } else { Confidence::Possible };
    let mut evidence = vec![format!(
        "{} silent for {} with a response that was never read to its end nor closed",
        wording::sockets(claimed.count()),
        wording::range(claimed.range_ms(Sighting::idle_ms)),
    )];
    evidence.extend(wording::readers(claimed));
    evidence.extend(wording::accumulation(claimed, "went silent", "gone silent"));
    if claimed.count() < claimed.options.count_min && !enough {
        evidence.push(format!(
            "{} would be a leak; so few may be responses that somebody will come back to",
            claimed.options.count_min
        ));
    }
    Some(Assessment { verdict: Verdict::Abandoned, confidence, growth_tells: enough, evidence })
}

fn assess_unproven(claimed: &Claimed<'_, '_>) -> Option<Assessment> {
    if claimed.count() < claimed.options.count_min {
        return None;
    }
    let mut evidence = vec![format!(
        "{} silent for {} and nobody waits to read from them",
        wording::sockets(claimed.count()),
        wording::range(claimed.range_ms(Sighting::idle_ms)),
    )];
    evidence.extend(wording::readers(claimed));
    evidence.extend(wording::accumulation(claimed, "went silent", "gone silent"));
    if claimed.held() + claimed.unsearched() == 0 {
        evidence.push("it may be an idle pool of a database or cache driver".to_owned());
    }
    Some(Assessment {
        verdict: Verdict::Abandoned,
        confidence: Confidence::Possible,
        growth_tells: false,
        evidence,
    })
}
