//! Lists of open responses: from the entries of the BPF map to the connections in the memory of
//! each process.

use std::collections::BTreeMap;

use tracer_common::{LedgerKey, LedgerKind, LedgerRecord, StackKey};
use tracer_core::{Input, Ledger, NoAnswer, Note, ProcessKey, Subject, Timestamp};
use tracer_inspect::{
    clock,
    go::HttpObject,
    protocol::{Answer, Task},
};

use super::{
    Ask, FOLLOWED_MAX, Ledgers, Process, ProcessState, Untracked, followed::Progress,
    response_list::Entry,
};
use crate::collect::{inspection::Unanswered, kernel::load::Kernel, stacks::Stacks};

/// An HTTP/2 request gets its stream at once. After this long without one, it never will.
const PENDING_MAX_MS: u64 = 10_000;

impl Ledgers {
    /// Reads the kernel map, which has the responses of all processes.
    pub(super) fn read(
        &mut self,
        kernel: &mut Kernel,
        stacks: &mut Stacks,
        holders: &[ProcessKey],
        ask: Ask<'_>,
    ) -> Vec<Input> {
        let mut inputs = Vec::new();
        if self.is_full {
            let note = Note::FollowedProcessesFull { processes_max: FOLLOWED_MAX };
            inputs.push(Input::Note(note));
        }
        let at = clock::now();
        let records = match kernel.ledger() {
            Ok(records) => records,
            Err(error) => {
                log::warn!("{error:#}");
                return inputs;
            }
        };
        let mut open = self.by_process(kernel, stacks, &records, at);
        let exact: BTreeMap<Process, ProcessKey> =
            holders.iter().map(|key| (Process::from(*key), *key)).collect();
        // A list that could not be read before is no longer read.
        let ended = std::mem::take(&mut self.unlisted);
        inputs.extend(
            ended
                .iter()
                .filter_map(|process| exact.get(process))
                .map(|key| Input::NoAnswer(Subject::Responses(*key), NoAnswer::Ended)),
        );
        for (process, state) in &mut self.known {
            // A process without sockets has no open responses.
            let Some(&key) = exact.get(process) else { continue };
            let progress = match state {
                ProcessState::Followed(followed) if followed.is_pending() => continue,
                ProcessState::Followed(followed) => {
                    followed.begin(open.remove(process).unwrap_or_default(), at)
                }
                ProcessState::NotFollowed { reason: Untracked::Limit(limit), .. } => {
                    Progress::Listed(Vec::new(), vec![limit.clone()])
                }
                ProcessState::NotFollowed { reason: Untracked::InspectionFailed, .. } => {
                    let subject = Subject::Responses(key);
                    inputs.push(Input::NoAnswer(subject, NoAnswer::Failed));
                    continue;
                }
                ProcessState::NotFollowed { reason: Untracked::NoClient, .. }
                | ProcessState::Asked { .. }
                | ProcessState::Found(_) => continue,
            };
            match progress {
                Progress::Resolve(objects) => {
                    ask(Task::Resolve { process: key, objects });
                    inputs.push(Input::ResponsesAwaited(key));
                }
                Progress::Listed(open, limits) => {
                    inputs.push(Input::Ledger(Ledger { process: key, at, open, limits }));
                }
                Progress::Unknown => {}
            }
        }
        inputs
    }

    /// Continues a list with the connections of the objects that had to be found.
    pub(super) fn take_resolved(
        &mut self,
        kernel: &Kernel,
        key: ProcessKey,
        objects: &[HttpObject],
        result: Result<Answer, Unanswered>,
        ask: Ask<'_>,
    ) -> Option<Input> {
        let none = |reason| Some(Input::NoAnswer(Subject::Responses(key), reason));
        let state = self.known.get_mut(&Process::from(key));
        let Some(ProcessState::Followed(followed)) = state else { return none(NoAnswer::Ended) };
        // It was for a list of the program that the process ran before.
        if !followed.is_asked(objects) {
            return None;
        }
        let progress = match result {
            Ok(Answer::Resolved(found)) => followed.resolved(found),
            other => {
                followed.abandon();
                return none(match other {
                    Ok(_) => NoAnswer::Ended,
                    Err(Unanswered::Failed) => NoAnswer::Failed,
                    Err(Unanswered::OutOfTime) => NoAnswer::OutOfTime,
                });
            }
        };
        let at = followed.read_at();
        let (mut open, limits) = match progress {
            Progress::Resolve(objects) => {
                ask(Task::Resolve { process: key, objects });
                return None;
            }
            Progress::Listed(open, limits) => (open, limits),
            // It has exited, or the list is incomplete once more.
            Progress::Unknown => return none(NoAnswer::Ended),
        };
        if followed.is_late() {
            let since = self.reread.of_process(key.pid, || kernel.ledger());
            let Ok(since) = since else { return none(NoAnswer::OutOfTime) };
            open.retain(|response| since.contains(&response.since));
        }
        Some(Input::Ledger(Ledger { process: key, at, open, limits }))
    }

    /// The responses that are old enough, by process. Entries of processes that no longer have
    /// uprobes are removed from the BPF map.
    fn by_process(
        &self,
        kernel: &mut Kernel,
        stacks: &mut Stacks,
        records: &[(LedgerKey, LedgerRecord)],
        at: Timestamp,
    ) -> BTreeMap<Process, Vec<Entry>> {
        let mut entries: BTreeMap<Process, Vec<Entry>> = BTreeMap::new();
        for (key, record) in records {
            let owner = ProcessKey { pid: record.pid, start_time_ns: record.start_time_ns };
            let owner = Process::from(owner);
            let since = Timestamp::from_ns(record.at_ns);
            let age_ms = at.ms_since(since);
            match (self.known.get(&owner), object(key)) {
                // An entry from before `since` is that of a program that called execve.
                (Some(ProcessState::Followed(followed)), Some(object))
                    if followed.since <= since =>
                {
                    let stack = StackKey::new(record.pid, record.stack);
                    let stack = stack.and_then(|stack| stacks.number(stack, at));
                    if age_ms >= self.age_min_ms {
                        entries.entry(owner).or_default().push(Entry { object, since, stack });
                    }
                }
                (Some(ProcessState::Followed(_)), None) if age_ms < PENDING_MAX_MS => {}
                _ => kernel.remove_from_ledger(*key),
            }
        }
        entries
    }
}

/// The object in the program that identifies a response: its HTTP/1 connection or HTTP/2 stream.
/// `None` for an HTTP/2 request that has no stream yet.
fn object(key: &LedgerKey) -> Option<HttpObject> {
    let kinds = [LedgerKind::Connection, LedgerKind::Stream];
    let kind = kinds.into_iter().find(|kind| *kind as u32 == key.kind)?;
    Some(HttpObject { kind, address: key.object })
}
