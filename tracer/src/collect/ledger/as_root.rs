//! The ledger of a real Go program, `tests/go/ledger`.

#![expect(clippy::print_stdout, reason = "shows how the program was built")]

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use tracer_common::{LedgerKey, LedgerKind, LedgerRecord, StackKey};
use tracer_core::{Ledger, NoAnswer, OpenResponse, StackId, Subject, Timestamp};
use tracer_inspect::{clock, frames::rules::Rules, inspector::Inspector};

use self::program::{Program, every_program};
use super::*;
use crate::collect::kernel::{losses::KernelLosses, object::KernelOptions};

mod program;
#[path = "../../../tests/go/toolchain.rs"]
mod toolchain;

/// What a worker answers.
fn outcome(inspector: &mut Inspector, task: Task) -> Outcome {
    let (answer, program) = match &task {
        Task::Entries(process) => match inspector.entries(*process) {
            Some(Ok((entries, file))) => {
                (Answer::Entries(Some(Ok(entries))), Some(OwnedFd::from(file)))
            }
            Some(Err(limit)) => (Answer::Entries(Some(Err(limit))), None),
            None => (Answer::Entries(None), None),
        },
        Task::Resolve { process, objects } => {
            (Answer::Resolved(inspector.resolve(*process, objects)), None)
        }
        other => panic!("{other:?}"),
    };
    Outcome { task, result: Ok(answer), program }
}

/// Everything that the ledgers of one process need.
struct Watch {
    kernel: Kernel,
    inspector: Inspector,
    ledgers: Ledgers,
    stacks: Stacks,
}

impl Watch {
    /// Starts with responses of any age reported.
    fn start() -> Self {
        let options = KernelOptions { with_stacks: true, ..KernelOptions::default() };
        let kernel = Kernel::load(options).unwrap();
        let inspector = Inspector::new(Rules::default(), false);
        Self { kernel, inspector, ledgers: Ledgers::new(0), stacks: Stacks::new() }
    }

    fn update_for(&mut self, wanted: &BTreeMap<u32, u64>, key: ProcessKey) -> Vec<Input> {
        let Self { kernel, inspector, ledgers, stacks } = self;
        let mut asked = Vec::new();
        let mut inputs = ledgers.update(kernel, stacks, wanted, &[key], &mut |it| asked.push(it));
        assert_eq!(ledgers.is_waiting(), !asked.is_empty());
        // Uprobes are attached after the list was read.
        let is_new = asked.iter().any(|task| matches!(task, Task::Entries(_)));
        while let Some(task) = asked.pop() {
            let outcome = outcome(inspector, task);
            inputs.extend(ledgers.take(kernel, outcome, &mut |task| asked.push(task)));
        }
        if is_new {
            return self.update_for(wanted, key);
        }
        inputs.retain(|input| !matches!(input, Input::ResponsesAwaited(_)));
        inputs
    }

    /// Updates the ledger of the process, and returns it.
    fn update(&mut self, program: &Program) -> Option<Ledger> {
        let key = program.key();
        let wanted = [(key.pid, key.start_time_ns / TICK_NS)].into();
        let mut inputs = self.update_for(&wanted, key);
        match inputs.pop() {
            Some(Input::Ledger(ledger)) => Some(ledger),
            None => None,
            other => panic!("{other:?}"),
        }
    }

    /// All entries of the process in the kernel map.
    fn records(&self, program: &Program) -> Vec<(LedgerKey, LedgerRecord)> {
        let mut records = self.kernel.ledger().unwrap();
        records.retain(|(_, record)| record.pid == program.key().pid);
        records.sort_unstable_by_key(|(_, record)| record.at_ns);
        records
    }

    /// The number and the addresses of a response's stack.
    fn stack(&mut self, record: &LedgerRecord) -> (StackId, Vec<u64>) {
        let (stacks, at) = (&mut self.stacks, clock::now());
        self.kernel.take_stacks(&mut |key, record| stacks.add(key, record, at)).unwrap();
        let number = stacks.number(StackKey::new(record.pid, record.stack).unwrap(), at).unwrap();
        (number, stacks.get(number).unwrap().addresses.clone())
    }

    /// Number of HTTP/1 responses, HTTP/2 responses, and HTTP/2 requests without a stream.
    fn counts(&self, program: &Program) -> [usize; 3] {
        let records = self.records(program);
        [LedgerKind::Connection, LedgerKind::Stream, LedgerKind::Request]
            .map(|kind| records.iter().filter(|(key, _)| key.kind == kind as u32).count())
    }

    /// Waits for these counts: the client's own goroutines release responses a little later.
    #[track_caller]
    fn expect(&self, program: &Program, counts: [usize; 3]) {
        let deadline = Instant::now() + Duration::from_secs(10);
        while self.counts(program) != counts {
            assert!(Instant::now() < deadline, "{:?}, not {counts:?}", self.counts(program));
            thread::sleep(Duration::from_millis(5));
        }
    }
}

#[test]
fn the_ledger_has_exactly_the_open_responses() {
    for path in every_program() {
        println!("{}", path.name);
        let mut program = Program::start(path.path());
        let mut watch = Watch::start();
        let ledger = watch.update(&program).unwrap();
        assert_eq!((ledger.open, ledger.limits), (vec![], vec![]));
        let before = clock::now();

        program.order("take 5");
        watch.expect(&program, [5, 0, 0]);
        program.order("stream 4");
        watch.expect(&program, [5, 4, 0]);
        let times: Vec<u64> = watch.records(&program).iter().map(|it| it.1.at_ns).collect();
        assert!(times[0] >= before.as_ns() && times.is_sorted(), "{before:?} {times:?}");
        for (_, record) in watch.records(&program) {
            assert_eq!(record.start_time_ns / TICK_NS, program.key().start_time_ns / TICK_NS);
            let (_, stack) = watch.stack(&record);
            assert!(stack.iter().any(|address| program.ask.contains(address)), "{stack:x?}");
        }

        program.order("read");
        // Everything that the stream carries has been received.
        watch.expect(&program, [0, 0, 0]);
        program.order("close");
        program.order("take 3");
        program.order("stream 2");
        watch.expect(&program, [3, 2, 0]);
        program.order("close");
        watch.expect(&program, [0, 0, 0]);

        for order in ["fail 10", "race 1000", "healthy 200"] {
            program.order(order);
            watch.expect(&program, [0, 0, 0]);
        }
        program.order("take 2");
        program.order("drop");
        watch.expect(&program, [2, 0, 0]);
        let losses = watch.kernel.losses().unwrap();
        assert_eq!(losses, KernelLosses::default());
    }
}

#[test]
fn an_open_response_is_assigned_to_its_connection() {
    let path = program::build();
    let mut program = Program::start(path.path());
    let mut watch = Watch::start();
    watch.update(&program).unwrap();
    program.order("take 5");
    let records = watch.records(&program);
    let ledger = watch.update(&program).unwrap();
    assert_eq!(ledger.limits, []);
    let mut fds: Vec<u32> = ledger.open.iter().map(|response| response.fd).collect();
    for (response, (_, record)) in ledger.open.iter().zip(records) {
        let OpenResponse { fd, since, stack, stream } = *response;
        assert_eq!(since, Timestamp::from_ns(record.at_ns));
        assert_eq!(stack, Some(watch.stack(&record).0));
        assert_eq!(stream, None);
        let link = fs::read_link(format!("/proc/{}/fd/{fd}", program.key().pid)).unwrap();
        assert!(link.to_str().unwrap().starts_with("socket:"), "{fd}: {link:?}");
    }
    fds.sort_unstable();
    fds.dedup();
    assert_eq!(fds.len(), 5);
    program.order("close");
    assert_eq!(watch.update(&program).unwrap().open, []);
}

#[test]
fn a_young_response_is_not_reported_yet() {
    let path = program::build();
    let mut program = Program::start(path.path());
    let mut watch = Watch::start();
    watch.ledgers = Ledgers::new(3_600_000);
    watch.update(&program).unwrap();
    program.order("take 2");
    assert_eq!(watch.update(&program).unwrap().open, []);
    watch.expect(&program, [2, 0, 0]);
    watch.ledgers.age_min_ms = 0;
    assert_eq!(watch.update(&program).unwrap().open.len(), 2);
}

#[test]
fn no_uprobe_remains_after_detaching() {
    let path = program::build();
    let mut program = Program::start(path.path());
    let mut watch = Watch::start();
    assert_eq!(program.changed_code(), 0);
    watch.update(&program).unwrap();
    let hooks = program.changed_code();
    assert!(hooks >= 7, "{hooks}");
    program.order("take 2");
    watch.expect(&program, [2, 0, 0]);

    // A second tracer does not affect the first one.
    let mut other = Watch::start();
    other.update(&program).unwrap();
    assert_eq!(program.changed_code(), hooks);
    program.order("take 1");
    other.expect(&program, [1, 0, 0]);
    watch.expect(&program, [3, 0, 0]);
    drop(watch);
    assert_eq!(program.changed_code(), hooks);
    program.order("take 1");
    other.expect(&program, [2, 0, 0]);
    drop(other);
    program.expect_unchanged_code();
    program.order("take 1");
}

#[test]
fn a_process_that_calls_execve_starts_with_an_empty_ledger() {
    let path = program::build();
    let mut program = Program::start(path.path());
    let mut watch = Watch::start();
    watch.update(&program).unwrap();
    program.order("take 3");
    watch.expect(&program, [3, 0, 0]);
    program.exec_again();
    program.order("take 2");
    // Until the next update, old and new entries are indistinguishable, so all are removed.
    let ledger = watch.update(&program).unwrap();
    assert_eq!((ledger.open, ledger.limits), (vec![], vec![]));
    assert_eq!(watch.counts(&program), [0, 0, 0]);
    program.order("take 4");
    assert_eq!(watch.update(&program).unwrap().open.len(), 4);
}

#[test]
fn the_entries_of_an_ended_process_are_removed() {
    let path = program::build();
    let mut program = Program::start(path.path());
    let mut watch = Watch::start();
    watch.update(&program).unwrap();
    program.order("take 3");
    let key = program.key();
    assert_eq!(watch.kernel.ledger().unwrap().len(), 3);
    drop(program);
    let wanted = BTreeMap::new();
    let inputs = watch.update_for(&wanted, key);
    // An earlier list without an answer no longer matters.
    assert_eq!(inputs, [Input::NoAnswer(Subject::Responses(key), NoAnswer::Ended)]);
    assert_eq!(watch.kernel.ledger().unwrap(), []);
    assert!(watch.ledgers.known.is_empty());
}

#[test]
fn other_programs_get_no_uprobes() {
    let mut watch = Watch::start();
    let key = ProcessKey {
        pid: std::process::id(),
        start_time_ns: tracer_inspect::process::identity::started(std::process::id()).unwrap()
            * TICK_NS,
    };
    let wanted = [(key.pid, key.start_time_ns / TICK_NS)].into();
    for _ in 0..2 {
        let inputs = watch.update_for(&wanted, key);
        assert_eq!(inputs, []);
    }
    let state = watch.ledgers.known.values().next();
    assert!(
        matches!(state, Some(ProcessState::NotFollowed { reason: Untracked::NoClient, .. })),
        "{state:?}"
    );
}
