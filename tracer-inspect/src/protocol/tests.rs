//! Every kind of message survives, and what is not one is refused.

use std::mem;

use proptest::prelude::*;
use tracer_common::{LedgerKind, StackTop};
use tracer_core::{
    AccessError, Asked, CallSite, CallSiteReason, ConnectionId, Container, Goroutines, HolderKind,
    HttpConnection, HttpStage, HttpStream, Limit, ProcessFacts, ProcessKey, Reachability, Reader,
    ReaderFacts, Readers, ResponseHolder, StackId, Timestamp,
};

use super::{
    codec,
    frame::{self, FrameBuffer},
    *,
};
use crate::{
    go::{Entries, HttpObject, LedgerHook, ResolvedConnection},
    process::user_stack::UserStack,
};

const PROCESS: ProcessKey = ProcessKey { start_time_ns: 70_000_000, pid: 4_711 };
const STACK: StackId = StackId(3);
const SENT: Timestamp = Timestamp::from_ms(1_000);
const READ: Timestamp = Timestamp::from_ms(1_010);
const NOW: Timestamp = Timestamp::from_ms(1_020);

fn asked() -> Vec<Asked> {
    (1..=4).map(|number| Asked { id: ConnectionId(number), fd: 5, inode: 6 }).collect()
}

fn objects() -> Vec<HttpObject> {
    let kinds = [LedgerKind::Connection, LedgerKind::Stream];
    kinds.map(|kind| HttpObject { kind, address: 0xc000_1000 }).to_vec()
}

fn facts() -> ProcessFacts {
    ProcessFacts {
        key: PROCESS,
        exe: Some("/usr/bin/client".to_owned()),
        cmdline: None,
        script: Some("billing.py".to_owned()),
        uid: Some(1_000),
        container: Some(Container { id: "ab".to_owned(), runtime: None, pod_uid: None }),
        inner_pid: Some(1),
        open_fds: Some(100),
        fd_limit: None,
        stopped: true,
        has_executed: Some(false),
    }
}

fn readers() -> Readers {
    let http = |reachability| HttpConnection {
        stage: HttpStage::AwaitingBody,
        transport: 1,
        request: Some("GET http://host/path".to_owned()),
        reachability,
    };
    let holder = |kind, name: &str| {
        let name = (!name.is_empty()).then(|| name.to_owned());
        Some(http(Reachability::Held(Some(Box::new(ResponseHolder { kind, name })))))
    };
    let found = |number, http| ReaderFacts {
        id: ConnectionId(number),
        reader: Reader::None,
        is_registered: true,
        http,
    };
    Readers {
        process: PROCESS,
        at: READ,
        found: vec![
            found(3, None),
            found(1, Some(http(Reachability::NotOnStack))),
            found(2, holder(HolderKind::Closure, "main.keep.func1")),
            found(4, holder(HolderKind::Goroutine, "")),
        ],
        goroutines: Some(Goroutines { total: 9, read_loops: 2, write_loops: 2 }),
        limits: vec![
            Limit::FdsUnreadable { error: AccessError::PermissionDenied { detail: None } },
            Limit::GoTooOld { minor: 18, oldest_minor: 19 },
        ],
    }
}

fn tasks() -> Vec<Task> {
    let top = StackTop { instruction: 1, words: [2; StackTop::WORDS] };
    let recorded = UserStack { addresses: vec![1, 2, 3], top: Some(top) };
    vec![
        Task::Process(PROCESS),
        Task::CallSite {
            process: PROCESS,
            stack: STACK,
            recorded: Some(recorded),
            with_debug_info: true,
        },
        Task::CallSite { process: PROCESS, stack: STACK, recorded: None, with_debug_info: false },
        Task::Readers { process: PROCESS, asked: asked() },
        Task::Entries(PROCESS),
        Task::Resolve { process: PROCESS, objects: objects() },
        Task::ProcessInKernel(PROCESS),
    ]
}

/// Each answer, with a task that it belongs to.
fn answers() -> Vec<(Task, Answer)> {
    let [process, call_site, _, readers_task, entries, resolve, in_kernel] =
        tasks().try_into().unwrap();
    let reason = Some(CallSiteReason::Process(Limit::NotGo));
    let site = CallSite { process: PROCESS, stack: STACK, location: None, reason };
    let hooks = vec![(LedgerHook::Close, 64)];
    let stream = Some(HttpStream { id: 1, held_bytes: 2, read_mark: 3 });
    let connection = ResolvedConnection { fd: 5, stream, is_awaited: true };
    vec![
        (process.clone(), Answer::Ended),
        (readers_task.clone(), Answer::TooLong),
        (process.clone(), Answer::Process(facts())),
        (in_kernel, Answer::Process(facts())),
        (process, Answer::ProcessUnreadable),
        (call_site, Answer::CallSite(site)),
        (readers_task, Answer::Readers(readers())),
        (entries.clone(), Answer::Entries(None)),
        (entries, Answer::Entries(Some(Ok(Entries { hooks, limits: vec![Limit::NotGo] })))),
        (resolve.clone(), Answer::Resolved(Err(Limit::ProcessEnded))),
        (resolve, Answer::Resolved(Ok(vec![Some(connection), None]))),
    ]
}

fn reply(answer: Answer) -> Reply {
    Reply { sequence: 1, read_at: READ, cpu_ns: 5, answer }
}

/// The message of a frame.
fn message(frame: &[u8]) -> Vec<u8> {
    let mut buffer = FrameBuffer::default();
    buffer.extend(frame);
    let message = buffer.next_message(frame::MESSAGE_MAX).unwrap().unwrap();
    assert!(buffer.is_empty());
    message
}

#[test]
fn every_message_survives() {
    let setup = Setup { with_cmdline: true, frame_rules: "library module a".to_owned() };
    assert_eq!(Setup::read(&message(&setup.to_frame().unwrap())), Ok(setup));
    for task in tasks() {
        let request = Request { sequence: u64::MAX, task };
        assert_eq!(Request::read(&message(&request.to_frame().unwrap())), Ok(request));
    }
    for (task, answer) in answers() {
        let (request, reply) = (Request { sequence: 1, task }, reply(answer));
        let read = Reply::read(&message(&reply.to_frame(request.reply_max())), request.reply_max());
        assert_eq!(read.as_ref(), Ok(&reply));
        assert_eq!(reply.check(&request, SENT, NOW), Ok(()), "{reply:?}");
    }
}

#[test]
fn a_message_that_is_too_short_or_too_long_is_malformed() {
    for (_, answer) in answers() {
        let whole = message(&reply(answer).to_frame(frame::MESSAGE_MAX));
        for length in 0..whole.len() {
            assert_eq!(Reply::read(&whole[..length], frame::MESSAGE_MAX), Err(Malformed));
        }
        assert_eq!(Reply::read(&[&whole[..], &[0]].concat(), frame::MESSAGE_MAX), Err(Malformed));
    }
}

#[test]
fn a_list_is_not_longer_than_its_bytes() {
    assert_eq!(codec::from_bytes::<Vec<u8>>(&[2, 0, 0, 0, 7], 9), Err(Malformed));
    assert_eq!(codec::from_bytes::<String>(&[255, 255, 255, 255, 7], usize::MAX), Err(Malformed));
    assert_eq!(codec::from_bytes::<String>(&[1, 0, 0, 0, 0xff], 9), Err(Malformed), "not UTF-8");
}

#[test]
fn a_list_of_short_elements_takes_no_more_memory_than_a_reply() {
    let asked: Vec<Asked> = asked().into_iter().cycle().take(1_000).collect();
    let objects = vec![objects()[0]; 1_000];
    for (task, many, few) in [
        (
            Task::Readers { process: PROCESS, asked },
            Answer::Readers(Readers { limits: vec![Limit::NotGo; 4_000_000], ..readers() }),
            Answer::Readers(Readers { limits: vec![Limit::NotGo; 1_000], ..readers() }),
        ),
        (
            Task::Resolve { process: PROCESS, objects },
            Answer::Resolved(Ok(vec![None; 4_000_000])),
            Answer::Resolved(Ok(vec![None; 1_000])),
        ),
    ] {
        let max = Request { sequence: 1, task }.reply_max();
        let [many, few] =
            [many, few].map(|answer| Reply::read(&message(&reply(answer).to_frame(max)), max));
        assert_eq!(many, Err(Malformed));
        assert!(few.is_ok_and(|reply| reply.answer != Answer::TooLong));
    }
}

#[test]
fn a_reply_to_another_request_is_refused() {
    for (task, answer) in answers() {
        let request = Request { sequence: 2, task };
        assert_eq!(reply(answer).check(&request, SENT, NOW), Err(Mismatch::Sequence));
    }
    for task in tasks() {
        for (other, answer) in answers() {
            // A task that is reduced is answered in the same form.
            let [form, other] = [task.clone(), other].map(|it| mem::discriminant(&it.reduced()));
            let is_other = form != other;
            if is_other && !matches!(answer, Answer::Ended | Answer::TooLong) {
                let request = Request { sequence: 1, task: task.clone() };
                assert_eq!(reply(answer).check(&request, SENT, NOW), Err(Mismatch::Kind));
            }
        }
    }
}

#[test]
fn a_reply_about_something_else_is_refused() {
    let request = |task| Request { sequence: 1, task };
    let check = |task, answer| reply(answer).check(&request(task), SENT, NOW);
    let other = ProcessKey { start_time_ns: 80_000_000, ..PROCESS };
    let subject = Err(Mismatch::Subject);
    assert_eq!(check(Task::Process(other), Answer::Process(facts())), subject);
    let task = |asked| Task::Readers { process: PROCESS, asked };
    assert_eq!(check(task(asked()[1..].to_vec()), Answer::Readers(readers())), subject);
    let twice = [readers().found, readers().found].concat();
    let twice = Answer::Readers(Readers { found: twice, ..readers() });
    assert_eq!(check(task(asked()), twice), subject);
    let elsewhere = Answer::Readers(Readers { process: other, ..readers() });
    assert_eq!(check(task(asked()), elsewhere), subject);
    let [.., (resolve, _)] = &answers()[..] else { unreachable!() };
    assert_eq!(check(resolve.clone(), Answer::Resolved(Ok(vec![None]))), subject);
    let site = CallSite { process: PROCESS, stack: StackId(4), location: None, reason: None };
    assert_eq!(check(tasks()[2].clone(), Answer::CallSite(site)), subject);
}

#[test]
fn a_reply_was_read_between_request_and_arrival() {
    let request = Request { sequence: 1, task: Task::Readers { process: PROCESS, asked: asked() } };
    let early = Timestamp::from_ms(999);
    for reply in [
        Reply { read_at: early, ..reply(Answer::Ended) },
        Reply { read_at: NOW.after_ms(1), ..reply(Answer::Ended) },
        reply(Answer::Readers(Readers { at: early, ..readers() })),
    ] {
        assert_eq!(reply.check(&request, SENT, NOW), Err(Mismatch::Time));
    }
}

#[test]
fn a_frame_that_is_too_long_is_refused_before_it_arrives() {
    let mut buffer = FrameBuffer::default();
    buffer.extend(&[11, 0, 0]);
    assert_eq!(buffer.next_message(10), Ok(None));
    buffer.extend(&[0]);
    assert_eq!(buffer.next_message(11), Ok(None));
    assert_eq!(buffer.next_message(10), Err(Malformed));
    let long = Answer::Readers(Readers { limits: vec![Limit::NotGo; 1_000], ..readers() });
    let read = Reply::read(&message(&reply(long).to_frame(100)), 100);
    assert_eq!(read, Ok(reply(Answer::TooLong)));
}

proptest! {
    /// However the bytes of frames arrive, the messages are the same.
    #[test]
    fn frames_arrive_in_any_parts(cuts in proptest::collection::vec(1_usize..40, 1..60)) {
        let replies: Vec<Reply> = answers().into_iter().map(|(_, answer)| reply(answer)).collect();
        let bytes: Vec<u8> =
            replies.iter().flat_map(|reply| reply.to_frame(frame::MESSAGE_MAX)).collect();
        let (mut buffer, mut read, mut rest) = (FrameBuffer::default(), Vec::new(), &bytes[..]);
        for cut in cuts.into_iter().cycle() {
            let (part, after) = rest.split_at(cut.min(rest.len()));
            buffer.extend(part);
            while let Some(message) = buffer.next_message(frame::MESSAGE_MAX).unwrap() {
                read.push(Reply::read(&message, frame::MESSAGE_MAX).unwrap());
            }
            rest = after;
            if rest.is_empty() {
                break;
            }
        }
        prop_assert_eq!(read, replies);
    }

    /// What is read is what would have been written for it: one value has one form.
    #[test]
    fn arbitrary_bytes_are_refused_or_written_back(
        mut bytes in proptest::collection::vec(any::<u8>(), 0..200),
        number in 0_usize..10,
        at in 0_usize..200,
    ) {
        // Mostly valid, because chance makes no message.
        let whole = message(&reply(answers()[number].1.clone()).to_frame(frame::MESSAGE_MAX));
        if let Some(byte) = bytes.first().copied() {
            let mut changed = whole.clone();
            let at = at % changed.len();
            changed[at] = byte;
            bytes = changed;
        }
        if let Ok(reply) = Reply::read(&bytes, frame::MESSAGE_MAX) {
            prop_assert_eq!(message(&reply.to_frame(frame::MESSAGE_MAX)), bytes);
        }
    }
}
