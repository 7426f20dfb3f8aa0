//! What happens to requests whose worker replies, fails, or sends something else.

mod busy_host;
mod files;
mod hanging;
mod reduced;

use tracer_core::{ConnectionId, Limit, Reader, ReaderFacts, Readers, StackId};
use tracer_inspect::protocol::frame::{FrameBuffer, MESSAGE_MAX};

use super::*;

/// An exchange with a worker that the test simulates.
#[derive(Default)]
struct Play {
    exchange: Exchange,
    outcomes: Vec<Outcome>,
    /// What the worker was sent and has not answered.
    requests: VecDeque<Request>,
    now_ms: u64,
}

const NOBODY: [u32; 0] = [];

fn process(pid: u32) -> ProcessKey {
    ProcessKey { start_time_ns: 70_000_000, pid }
}

fn task(pid: u32) -> Task {
    Task::ProcessInKernel(process(pid))
}

impl Play {
    fn asking(pids: impl IntoIterator<Item = u32>) -> Self {
        let mut play = Self::default();
        for pid in pids {
            play.ask(task(pid));
        }
        play
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_ms(self.now_ms)
    }

    fn ask(&mut self, task: Task) {
        self.outcomes.extend(self.exchange.ask(task));
    }

    /// A worker starts.
    fn start(&mut self) {
        self.requests.clear();
        self.receive(&Reply::ready(self.now(), 0)).unwrap();
    }

    /// Sends what can be sent; returns which processes it is about.
    fn send(&mut self) -> Vec<u32> {
        let mut pids = Vec::new();
        while let Some(frame) = self.exchange.next_frame(self.now(), &mut self.outcomes) {
            let mut buffer = FrameBuffer::default();
            buffer.extend(&frame);
            let message = buffer.next_message(MESSAGE_MAX).unwrap().unwrap();
            let request = Request::read(&message).unwrap();
            pids.push(request.task.process().pid);
            self.requests.push_back(request);
        }
        pids
    }

    fn receive(&mut self, reply: &Reply) -> Result<(), WorkerFailed> {
        let frame = reply.to_frame(MESSAGE_MAX);
        self.exchange.receive(&frame, None, self.now(), &mut self.outcomes)
    }

    /// The worker answers the oldest request.
    fn answer(&mut self) {
        self.reply(Answer::Ended).unwrap();
    }

    fn reply(&mut self, answer: Answer) -> Result<(), WorkerFailed> {
        let sequence = self.requests.pop_front().unwrap().sequence;
        self.receive(&Reply { sequence, read_at: self.now(), cpu_ns: 1_000, answer })
    }

    fn fail(&mut self) {
        self.exchange.worker_failed(&mut self.outcomes);
        self.requests.clear();
    }

    /// Which processes have an outcome since the last call, and whether it is an answer.
    fn take(&mut self) -> Vec<(u32, bool)> {
        let outcomes = std::mem::take(&mut self.outcomes);
        let outcomes = outcomes.iter().map(|it| (it.task.process().pid, it.result.is_ok()));
        outcomes.collect()
    }
}

#[test]
fn requests_are_sent_some_at_a_time_and_answered_in_their_order() {
    let mut play = Play::asking(1..=20);
    play.start();
    assert_eq!(play.send(), (1..=16).collect::<Vec<_>>());
    play.answer();
    play.answer();
    assert_eq!(play.send(), [17, 18]);
    for _ in 0..16 {
        play.answer();
    }
    assert_eq!(play.send(), [19, 20]);
    play.answer();
    play.answer();
    assert!(play.exchange.is_idle());
    assert_eq!(play.take(), (1..=20).map(|pid| (pid, true)).collect::<Vec<_>>());
    assert_eq!(play.exchange.deadline(), None);
}

#[test]
fn a_request_at_which_a_worker_fails_is_sent_once_more_alone_after_the_others() {
    let mut play = Play::asking([1, 2, 3]);
    play.start();
    assert_eq!(play.send(), [1, 2, 3]);
    play.fail();
    play.start();
    assert_eq!(play.send(), [2, 3]);
    play.ask(task(4));
    assert_eq!(play.send(), [4]);
    play.answer();
    play.answer();
    assert_eq!(play.send(), NOBODY, "not beside another");
    play.answer();
    assert!(play.exchange.needs_fresh_worker());
    assert_eq!(play.send(), NOBODY, "not to a worker that had others");
    play.exchange.worker_ended();
    play.start();
    assert_eq!(play.send(), [1]);
    play.ask(task(5));
    assert_eq!(play.send(), NOBODY);
    play.answer();
    assert_eq!(play.send(), [5]);
    play.answer();
    assert_eq!(play.take(), [2, 3, 4, 1, 5].map(|pid| (pid, true)));
}

#[test]
fn what_fails_twice_is_not_asked_again_and_other_kinds_are() {
    let mut play = Play::asking([1, 1]);
    for _ in 0..2 {
        play.start();
        play.send();
        play.fail();
    }
    assert_eq!(play.take(), [], "the second one of the kind was asked among others first");
    play.start();
    assert_eq!(play.send(), [1]);
    play.fail();
    assert_eq!(play.take(), [(1, false), (1, false)]);
    play.ask(task(1));
    assert_eq!(play.take(), [(1, false)]);
    play.ask(Task::Entries(process(1)));
    play.start();
    assert_eq!(play.send(), [1]);
}

#[test]
fn a_process_at_which_a_worker_fails_delays_others_only_once() {
    let mut play = Play::asking([1]);
    play.ask(Task::Entries(process(1)));
    play.ask(task(2));
    play.start();
    assert_eq!(play.send(), [1, 1, 2]);
    play.fail();
    play.start();
    assert_eq!(play.send(), [2]);
    play.answer();
    assert_eq!(play.send(), [1], "the other kind, alone");
    play.fail();
    play.start();
    assert_eq!(play.send(), [1]);
    play.fail();
    play.start();
    play.ask(Task::Resolve { process: process(1), objects: Vec::new() });
    play.ask(task(3));
    assert_eq!(play.send(), [3]);
    assert_eq!(play.take(), [(2, true), (1, false)]);
}

#[test]
fn what_succeeds_only_alone_is_sent_alone_from_then_on() {
    let mut play = Play::asking([1]);
    play.start();
    play.send();
    play.fail();
    play.start();
    play.send();
    play.answer();
    play.ask(task(1));
    play.ask(task(2));
    assert_eq!(play.send(), [2], "it comes last");
    play.answer();
    assert!(!play.exchange.needs_fresh_worker());
    assert_eq!(play.send(), [1]);
    let limit_ms = ALONE_TIME_MAX.as_millis();
    let deadline = Timestamp::from_ms(u64::try_from(limit_ms).unwrap());
    assert_eq!(play.exchange.deadline(), Some(deadline));
    play.fail();
    play.take();
    play.start();
    assert_eq!(play.send(), [1], "once more, by a fresh worker");
    play.fail();
    assert_eq!(play.take(), [(1, false)]);
}

#[test]
fn the_deadline_is_that_of_the_request_that_the_worker_works_on() {
    let mut play = Play::asking([1, 2]);
    play.send();
    let start_ms = u64::try_from(START_TIME_MAX.as_millis()).unwrap();
    assert_eq!(play.exchange.deadline(), Some(Timestamp::from_ms(start_ms)));
    play.now_ms = 100;
    let requests = std::mem::take(&mut play.requests);
    play.start();
    play.requests = requests;
    assert_eq!(play.exchange.deadline(), Some(Timestamp::from_ms(1_100)));
    play.now_ms = 700;
    play.answer();
    assert_eq!(play.exchange.deadline(), Some(Timestamp::from_ms(1_700)));
}

#[test]
fn a_worker_that_does_not_start_is_not_the_fault_of_a_request() {
    let mut play = Play::asking([1, 2]);
    for _ in 0..3 {
        assert_eq!(play.send(), [1, 2]);
        play.fail();
    }
    play.start();
    assert_eq!(play.send(), [1, 2]);
    assert_eq!(play.take(), []);
}

#[test]
fn what_is_not_a_reply_to_the_oldest_request_ends_the_worker() {
    let asked = Task::Readers { process: process(1), asked: Vec::new() };
    let begin = || {
        let mut play = Play::default();
        play.ask(asked.clone());
        play.start();
        play.send();
        play
    };
    let facts =
        ReaderFacts { id: ConnectionId(9), reader: Reader::None, is_registered: false, http: None };
    let readers = |process, found| {
        let (at, limits) = (Timestamp::default(), vec![Limit::NotGo]);
        Answer::Readers(Readers { process, at, found, goroutines: None, limits })
    };
    for answer in [
        Answer::ProcessUnreadable,
        readers(process(2), Vec::new()),
        readers(process(1), vec![facts]),
    ] {
        assert_eq!(begin().reply(answer), Err(WorkerFailed));
    }
    let mut play = begin();
    let bytes = [255, 255, 255, 255];
    let outcome = play.exchange.receive(&bytes, None, play.now(), &mut play.outcomes);
    assert_eq!(outcome, Err(WorkerFailed), "longer than any reply");
    let mut play = begin();
    assert_eq!(play.reply(readers(process(1), Vec::new())), Ok(()));
    assert_eq!(play.receive(&Reply::ready(play.now(), 0)), Err(WorkerFailed), "nothing was asked");
}

#[test]
fn a_worker_is_believed_no_more_cpu_time_than_has_passed() {
    let mut play = Play::asking([1]);
    play.start();
    play.send();
    play.now_ms = 3;
    let sequence = play.requests[0].sequence;
    let read_at = play.now();
    let reply = Reply { sequence, read_at, cpu_ns: u64::MAX, answer: Answer::Ended };
    play.receive(&reply).unwrap();
    assert_eq!(play.exchange.cpu_time(), Duration::from_millis(3));
}

#[test]
fn without_time_some_or_all_requests_are_given_up() {
    let mut play = Play::default();
    play.start();
    let readers = |pid| Task::Readers { process: process(pid), asked: Vec::new() };
    for pid in 1..=20 {
        play.ask(readers(pid));
    }
    play.ask(task(30));
    play.send();
    let is_readers = |kind| kind == TaskKind::Readers;
    play.exchange.give_up(Unanswered::OutOfTime, is_readers, &mut play.outcomes);
    assert_eq!(play.take(), [17, 18, 19, 20].map(|pid| (pid, false)));
    let outcome = play.exchange.give_up_all(Unanswered::OutOfTime, &mut play.outcomes);
    assert_eq!(outcome, Err(WorkerFailed), "it still works on one");
    assert_eq!(play.take().len(), 17);
    assert!(play.exchange.is_idle());
}

/// All processes with an even pid run one program.
fn of_parity(process: ProcessKey) -> Option<Program> {
    process.pid.is_multiple_of(2).then_some(Program { hash: 2, user: 1 })
}

fn call_site(pid: u32, with_debug_info: bool) -> Task {
    let stack = StackId(1);
    Task::CallSite { process: process(pid), stack, recorded: None, with_debug_info }
}

#[test]
fn what_fails_for_a_process_is_not_asked_about_others_that_run_its_program() {
    let exchange = Exchange::new(of_parity);
    let mut play = Play { exchange, ..Play::default() };
    play.ask(task(2));
    play.start();
    play.send();
    play.fail();
    play.start();
    play.send();
    play.ask(task(4));
    play.ask(task(5));
    play.fail();
    assert_eq!(play.take(), [(4, false), (2, false)]);
    play.ask(task(6));
    assert_eq!(play.take(), [(6, false)]);
    play.ask(Task::Entries(process(6)));
    play.start();
    assert_eq!(play.send(), [5, 6]);
}

/// The rest of a reply is awaited once more, because the worker can only send it while its first part
/// is received.
#[test]
fn a_reply_in_parts_is_late_only_if_it_stays_incomplete() {
    let mut play = Play::asking([1, 2]);
    play.start();
    play.send();
    let part = |play: &mut Play, bytes: &[u8]| {
        play.exchange.receive(bytes, None, play.now(), &mut play.outcomes).unwrap();
        play.exchange.deadline().is_some_and(|deadline| deadline < play.now())
    };
    let reply = |play: &mut Play| {
        let sequence = play.requests.pop_front().unwrap().sequence;
        let reply = Reply { sequence, read_at: play.now(), cpu_ns: 0, answer: Answer::Ended };
        reply.to_frame(MESSAGE_MAX)
    };
    let first = reply(&mut play);
    play.now_ms += 5_000;
    assert!(!part(&mut play, &first[..5]), "this process was late");
    play.now_ms += 500;
    assert!(!part(&mut play, &first[5..]));
    assert_eq!(play.take(), [(1, true)]);

    let second = reply(&mut play);
    play.now_ms += 1_500;
    assert!(!part(&mut play, &second[..5]));
    play.now_ms += 1_500;
    assert!(part(&mut play, &second[5..9]), "it had time for the rest");
}
