//! The verdicts of single connections in a judgment.

use alloc::collections::BTreeMap;

use crate::{ConnectionId, Flag, ProcessKey, StackId, cap_reason::CapReason, judge::Judged};

/// The verdict of one connection in a judgment.
pub(super) struct ConnectionVerdict {
    pub(super) flag: Flag,
    /// The stack at which the open response was requested.
    pub(super) response: Option<(ProcessKey, StackId)>,
    pub(super) cap_reason: Option<CapReason>,
    /// The index of the connection's finding in the judgment.
    pub(super) finding: usize,
}

/// The verdict of each connection. An HTTP/2 connection in the findings of several call sites gets
/// the one with the highest confidence.
pub(super) fn verdicts(judged: &[Judged<'_>]) -> BTreeMap<ConnectionId, ConnectionVerdict> {
    let mut verdicts: BTreeMap<ConnectionId, ConnectionVerdict> = BTreeMap::new();
    for (finding, judged) in judged.iter().enumerate() {
        let (verdict, confidence) = (judged.assessment.verdict, judged.assessment.confidence);
        for member in &judged.members {
            let is_surer = |it: &ConnectionVerdict| it.flag.confidence >= confidence;
            if !verdicts.get(&member.tracked.id).is_some_and(is_surer) {
                let flag = Flag { verdict, confidence, since: member.now };
                let response = member.response_stack();
                let cap_reason = member.cap_reason.filter(|_| member.is_capped());
                let verdict = ConnectionVerdict { flag, response, cap_reason, finding };
                verdicts.insert(member.tracked.id, verdict);
            }
        }
    }
    verdicts
}
