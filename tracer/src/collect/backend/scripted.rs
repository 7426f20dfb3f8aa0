//! A host for tests of whole runs: processes are real, their sockets and the time are simulated.
//!
//! It returns the records that the iterator and the ring buffer would return. Time is that of a
//! paused tokio clock, so a run of minutes takes milliseconds.

mod socket;

use std::{collections::VecDeque, time::Duration};

use tokio::time::Instant;
use tracer_core::{
    AttachMethod, AttachState, FallbackReason, Hook, Input, NoAnswer, Probe, ProcessFacts,
    Question, Reader, ReaderFacts, Readers, Timestamp,
};
use tracer_inspect::clock;
use zerocopy::IntoBytes as _;

pub(crate) use self::socket::{Process, SocketId, Sockets};
use crate::{
    collect::{
        kernel::iterator::WalkStats,
        socket_records::{Fingerprints, SocketRecords},
    },
    wall_clock::WallClock,
};

/// `1 << SOCK_DONE` of `include/net/sock.h`.
pub(super) const FIN_FLAG: u64 = 1 << 1;

/// Uptime at the start of a run beyond that of the real host: the rate of the jiffies is ambiguous
/// in the first minutes after boot.
const EXTRA_UPTIME: Duration = Duration::from_hours(24);

/// An action at some time of the run.
type Action = Box<dyn FnOnce(&mut Sockets)>;

/// The host.
pub(crate) struct ScriptedHost {
    /// When the run starts.
    start: Timestamp,
    /// When the run started on the test's clock, once it has.
    started: Option<Instant>,
    /// The actions still to come, with the time since the start of the run.
    steps: VecDeque<(Duration, Action)>,
    pub(crate) sockets: Sockets,
    fingerprints: Fingerprints,
    /// What is waiting to read from each connection.
    pub(crate) reader: Reader,
    /// Why the BPF programs are not used, if they are not.
    pub(crate) fallback: Option<FallbackReason>,
    /// How long it takes to answer a question.
    pub(crate) answer_delay: Duration,
    /// Questions that have not been answered yet, and when they will be.
    asked: VecDeque<(Instant, Question)>,
    /// The outcomes of questions that were given up.
    given_up: Vec<Input>,
}

impl ScriptedHost {
    /// A host without sockets.
    pub(crate) fn new() -> Self {
        let start = Timestamp::from_ns(clock::now().as_ns() + nanoseconds(EXTRA_UPTIME));
        Self {
            start,
            started: None,
            steps: VecDeque::new(),
            sockets: Sockets::new(start),
            fingerprints: Fingerprints::default(),
            reader: Reader::Unknown,
            fallback: None,
            answer_delay: Duration::ZERO,
            asked: VecDeque::new(),
            given_up: Vec::new(),
        }
    }

    /// Schedules an action at this time after the start of the run. Steps are added in order.
    pub(crate) fn at(mut self, time: Duration, step: impl FnOnce(&mut Sockets) + 'static) -> Self {
        self.steps.push_back((time, Box::new(step)));
        self
    }

    pub(super) fn wall_clock(&self) -> WallClock {
        let suspended_ns = clock::suspended_ns();
        let wall = jiff::Timestamp::from_second(1_772_366_400).expect("it is in the calendar");
        WallClock::new(wall, self.start, self.start.as_ns() + suspended_ns)
    }

    /// Starts the run. Returns why it has no BPF programs, if it has none.
    pub(super) fn start(&mut self) -> Option<FallbackReason> {
        self.started = Some(Instant::now());
        self.sockets.is_traced = true;
        self.fallback.clone()
    }

    pub(super) fn now(&self) -> Timestamp {
        let elapsed = self.started.map_or(Duration::ZERO, |started| started.elapsed());
        Timestamp::from_ns(self.start.as_ns() + nanoseconds(elapsed))
    }

    /// All hooks, as attached.
    pub(in crate::collect) fn probes() -> Vec<Probe> {
        let attached = |hook| Probe {
            hook,
            state: AttachState::Attached { method: AttachMethod::TpBtf, failures: Vec::new() },
        };
        let hooks = [Hook::InetSockSetState, Hook::TcpDestroySock, Hook::Accept, Hook::Accept4];
        hooks.into_iter().map(attached).collect()
    }

    pub(super) fn walk(&mut self, each: &mut dyn SocketRecords) -> WalkStats {
        self.catch_up();
        let now = self.now();
        let mut records = 0;
        for record in self.sockets.records(now) {
            self.fingerprints.pass_on(&record, each);
            records += 1;
        }
        WalkStats { records, truncated: 0 }
    }

    pub(in crate::collect) fn take_events(&mut self, each: &mut dyn FnMut(&[u8])) {
        self.catch_up();
        for event in self.sockets.take_events() {
            each(event.as_bytes());
        }
    }

    pub(in crate::collect) fn events_lost(&self) -> u64 {
        self.sockets.events_lost
    }

    pub(in crate::collect) fn ask(&mut self, question: &Question) {
        self.asked.push_back((Instant::now() + self.answer_delay, question.clone()));
    }

    /// When the next question is answered.
    pub(in crate::collect) fn next_answer_at(&self) -> Option<Instant> {
        self.asked.front().map(|(at, _)| *at)
    }

    /// The answers that are due.
    pub(in crate::collect) fn answers(&mut self) -> Vec<Input> {
        let mut answers = std::mem::take(&mut self.given_up);
        while let Some((_, question)) = self.asked.pop_front_if(|(at, _)| *at <= Instant::now()) {
            answers.push(self.answer(&question));
        }
        answers
    }

    /// There is no more time for answers.
    pub(in crate::collect) fn give_up_answers(&mut self) {
        let asked = std::mem::take(&mut self.asked);
        let subjects = asked.iter().map(|(_, question)| question.subject());
        self.given_up.extend(subjects.map(|it| Input::NoAnswer(it, NoAnswer::OutOfTime)));
    }

    /// The answer to a question about any process.
    fn answer(&self, question: &Question) -> Input {
        match question {
            Question::Process(key) => Input::Process(ProcessFacts {
                key: *key,
                exe: Some("/usr/bin/client".to_owned()),
                cmdline: None,
                script: None,
                uid: Some(1_000),
                container: None,
                inner_pid: None,
                open_fds: Some(100),
                fd_limit: Some(1_024),
                stopped: self.sockets.are_processes_stopped,
                has_executed: Some(true),
            }),
            Question::Readers(process, asked) => Input::Readers(Readers {
                process: *process,
                at: self.now(),
                found: asked
                    .iter()
                    .map(|asked| ReaderFacts {
                        id: asked.id,
                        reader: self.reader,
                        is_registered: false,
                        http: None,
                    })
                    .collect(),
                goroutines: None,
                limits: Vec::new(),
            }),
            Question::CallSite(..) => Input::NoAnswer(question.subject(), NoAnswer::Ended),
        }
    }

    /// Runs the actions that are due.
    fn catch_up(&mut self) {
        let elapsed = self.started.map_or(Duration::ZERO, |started| started.elapsed());
        while let Some((time, step)) = self.steps.pop_front_if(|(time, _)| *time <= elapsed) {
            self.sockets.now = Timestamp::from_ns(self.start.as_ns() + nanoseconds(time));
            step(&mut self.sockets);
        }
        self.sockets.now = self.now();
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).expect("tests are short")
}
