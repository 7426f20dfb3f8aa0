//! The process that opened it has closed it or is gone; one that did not open it holds on.
//!
//! A child has copies of all descriptors of its parent, and after `exec` still those that are not
//! marked close-on-exec. As long as it lives the peer is never told of the end. Servers hand
//! connections to children on purpose: those read them, or have them registered in an epoll, or
//! have them as standard input.

use alloc::{format, string::ToString as _, vec};

use super::{Assessment, Claimed, Rule, wording};
use crate::{Confidence, Interval, Reader, TcpState, Verdict, sighting::Sighting};

pub(super) const RULE: Rule = Rule::new(claims, moment, assess);

/// Up to this descriptor a connection was passed on purpose: the standard streams (inetd).
const STREAM_FD_MAX: u32 = 2;
/// Looks without finding anybody, after which nobody is there: threads that read come back to it.
const LOOKS_MIN: u64 = 2;
/// The first one of socket activation (`sd_listen_fds`); also the first one that most programs open.
const ACTIVATION_FD: u32 = 3;

fn claims(sighting: &Sighting<'_>) -> bool {
    let (tracked, facts) = (sighting.tracked, sighting.facts);
    let nobody_opened_it = !facts.owners.is_empty()
        && facts
            .owners
            .iter()
            .all(|owner| Some(owner.key) != tracked.opener && sighting.is_heir(owner));
    matches!(facts.state, TcpState::Established | TcpState::CloseWait)
        && nobody_opened_it
        && facts.owners.iter().all(|owner| owner.fd > STREAM_FD_MAX)
        && !sighting.reader().is_there()
        && !is_registered(sighting)
        && sighting.is_free_to_act()
        && sighting.overdue(sighting.idle_ms())
}

fn is_registered(sighting: &Sighting<'_>) -> bool {
    sighting.tracked.reader.as_ref().is_some_and(|seen| seen.facts.is_registered)
}

fn moment(sighting: &Sighting<'_>) -> Interval {
    sighting.last_received()
}

fn assess(claimed: &Claimed<'_, '_>) -> Option<Assessment> {
    let count = claimed.count();
    let enough = count >= claimed.options.count_min;
    let may_be_passed =
        |member: &Sighting<'_>| member.facts.owners.iter().all(|owner| owner.fd == ACTIVATION_FD);
    if claimed.count_where(|member| !may_be_passed(member)) == 0 {
        return None;
    }
    let unnoticed = claimed.count_where(|member| member.reader() == Reader::None);
    let unfound = claimed.count_where(|member| was_looked_at(member, 1));
    let executed = claimed.process.and_then(|process| process.has_executed);
    let lives = claimed.openers > 0;
    let confidence = match executed {
        // A program knows of a descriptor that it was started with only by what it was told.
        Some(true) if enough && claimed.count_where(|it| was_looked_at(it, LOOKS_MIN)) == count => {
            Confidence::Certain
        }
        Some(true) if enough && unfound == count => Confidence::Likely,
        // Handed to a program that was started for it.
        Some(true) => Confidence::Possible,
        // A copy knows all that its parent knew. If that is gone, the copy took its place, as a
        // daemon does.
        _ if enough && unnoticed == count && lives => Confidence::Likely,
        _ if enough => Confidence::Possible,
        // Forked to do the work of its parent, as many servers do: one connection each is their
        // custom.
        _ => return None,
    };
    let mut evidence = vec![format!(
        "{} opened before this process began, by one that holds them no more; silent for {}",
        wording::sockets(count),
        wording::range(claimed.range_ms(Sighting::idle_ms)),
    )];
    if let Some(opener) = claimed.members.iter().filter_map(|it| it.tracked.opener).min() {
        evidence.push(format!("opened by pid {}", opener.pid));
    }
    evidence.push(match executed {
        Some(true) => {
            "this process executes another program: close-on-exec was missing".to_string()
        }
        Some(false) if lives => "this process is a copy of the one that opened them".to_string(),
        Some(false) => "this process is a copy of the one that opened them; that is not seen, so \
                        this may be a daemon with its pool"
            .to_string(),
        None => "whether it executes another program is not known".to_string(),
    });
    evidence.push(if unnoticed == count {
        "nobody waits to read from them, and no epoll has them".to_string()
    } else if executed == Some(true) && unfound == count {
        "no thread was found to wait on them, and no epoll has them".to_string()
    } else {
        format!("whether anybody waits to read from {} of {count} is not known", count - unnoticed)
    });
    if !enough {
        let enough = claimed.options.count_min;
        evidence.push(format!("so few may have been passed on purpose; {enough} would be telling"));
    }
    Some(Assessment { verdict: Verdict::Inherited, confidence, growth_tells: false, evidence })
}

/// So many looks into the process have found nobody.
fn was_looked_at(sighting: &Sighting<'_>, looks: u64) -> bool {
    let seen = sighting.tracked.reader.as_ref();
    seen.is_some_and(|seen| seen.facts.reader == Reader::None || seen.looks >= looks)
}
