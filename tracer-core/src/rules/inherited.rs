//! **inherited**: the process that opened a connection has closed it or has exited, and a process
//! that did not open it still holds it.
//!
//! A child has copies of all file descriptors of its parent, and keeps those without close-on-exec
//! after `exec`. Until the child exits, the peer does not receive a FIN.
//!
//! Claim: ESTABLISHED or CLOSE_WAIT, idle for `--idle`, every holder started after the connection
//! was opened and was not passed the file descriptor, no holder has it as a standard stream or in
//! an epoll instance, and no reader is waiting.
//!
//! - *certain*: the process has called `exec`, and each of at least `--min-count` connections has
//!   no reader, or two inspections found no thread waiting for it.
//! - *likely*: the process has called `exec`, and one inspection found no thread waiting for any of
//!   at least `--min-count` connections; or the process is a fork of an opener that is still
//!   running, and certainly has no reader for any of at least `--min-count` connections.
//! - *possible*: otherwise, at least `--min-count` connections after a fork, or any number after
//!   `exec`.
//!
//! Lookalikes: a server that passes connections on purpose to children, which read them, register
//! them in an epoll instance or have them as standard input (inetd); socket activation, which
//! passes file descriptor 3; a daemon that forked after it opened its pool.

use super::{Assessment, Claimed, Reasons, Rule, RuleId};
use crate::{
    Caveat, Confidence, Evidence, Interval, Reader, TcpState, Verdict,
    connection_view::ConnectionView,
};

pub(super) const RULE: Rule = Rule::new(RuleId::Inherited, claims, occurred, assess);

/// Standard streams are passed on purpose.
const STDIO_FD_MAX: u32 = 2;
/// Number of inspections that must find no reader: during one of them, a reading thread may be
/// between two calls.
const INSPECTIONS_MIN: u64 = 2;
/// The first file descriptor of socket activation (`sd_listen_fds(3)`), which is also the first
/// that most programs open.
const ACTIVATION_FD: u32 = 3;

fn claims(view: &ConnectionView<'_>) -> bool {
    let (tracked, facts) = (view.tracked, view.facts);
    let no_holder_opened_it = !facts.owners.is_empty()
        && facts
            .owners
            .iter()
            .all(|owner| Some(owner.key) != tracked.opener && view.is_inherited_by(owner));
    matches!(facts.state, TcpState::Established | TcpState::CloseWait)
        && no_holder_opened_it
        && facts.owners.iter().all(|owner| owner.fd > STDIO_FD_MAX)
        && !view.reader().is_waiting()
        && !is_registered(view)
        && view.can_run()
        && view.is_overdue(view.idle_ms())
}

fn is_registered(view: &ConnectionView<'_>) -> bool {
    let facts = view.inspected().and_then(|seen| seen.facts.as_ref());
    facts.is_some_and(|facts| facts.is_registered)
}

/// Whether another inspection could raise the confidence, even if nothing has changed.
pub(super) fn needs_another_inspection(view: &ConnectionView<'_>) -> bool {
    claims(view) && !was_inspected(view, INSPECTIONS_MIN)
}

fn occurred(view: &ConnectionView<'_>) -> Interval {
    view.last_received()
}

/// Whether at least this many inspections found no reader.
fn was_inspected(view: &ConnectionView<'_>, inspections: u64) -> bool {
    let seen = view.inspected().filter(|seen| seen.facts.is_some());
    seen.is_some_and(|seen| view.reader() == Reader::None || seen.inspections >= inspections)
}

fn assess(claimed: &Claimed<'_, '_>) -> Option<Assessment> {
    let (count, count_min) = (claimed.count(), claimed.options.count_min);
    let is_enough = count >= count_min;
    let may_be_activation = |member: &ConnectionView<'_>| {
        member.facts.owners.iter().all(|owner| owner.fd == ACTIVATION_FD)
    };
    if claimed.count_where(may_be_activation) == count {
        return None;
    }
    let without_reader = claimed.count_where(|member| member.reader() == Reader::None);
    let inspected = claimed.count_where(|member| was_inspected(member, 1));
    let has_executed = claimed.process.and_then(|process| process.has_executed);
    let opener_runs = claimed.running_openers > 0;
    let confidence = match has_executed {
        // After `exec`, a program knows only those inherited file descriptors whose numbers it was
        // given.
        Some(true)
            if is_enough
                && claimed.count_where(|it| was_inspected(it, INSPECTIONS_MIN)) == count =>
        {
            Confidence::Certain
        }
        Some(true) if is_enough && inspected == count => Confidence::Likely,
        Some(true) => Confidence::Possible,
        // A fork knows all file descriptors that its parent knew. If the parent has exited, the
        // fork may have taken its place, as a daemon does.
        _ if is_enough && without_reader == count && opener_runs => Confidence::Likely,
        _ if is_enough => Confidence::Possible,
        // Many servers fork to serve one connection each.
        _ => return None,
    };
    let silent = claimed.range(ConnectionView::idle_ms);
    let mut reasons = Reasons::new(Evidence::OpenedByAnother { count, silent });
    if let Some(opener) = claimed.members.iter().filter_map(|it| it.tracked.opener).min() {
        reasons.add(Evidence::Opener { pid: opener.pid });
    }
    match has_executed {
        Some(true) => reasons.add(Evidence::CloseOnExecMissing),
        Some(false) if opener_runs => reasons.add(Evidence::ForkedFromOpener),
        Some(false) => reasons.add_caveat(Caveat::OpenerNotSeen),
        None => reasons.add_caveat(Caveat::ExecUnknown),
    }
    if without_reader == count {
        reasons.add(Evidence::NoReaderNoEpoll { count });
    } else if has_executed == Some(true) && inspected == count {
        reasons.add(Evidence::NoThreadNoEpoll { count });
    } else {
        reasons.add_caveat(Caveat::ReaderUnknown(claimed.of_all(count - without_reader)));
    }
    if !is_enough {
        reasons.add_caveat(Caveat::TooFewInherited { count, count_min });
    }
    Some(Assessment {
        verdict: Verdict::Inherited,
        confidence,
        growth_raises_confidence: false,
        reasons,
    })
}
