//! The worker in a thread, asked about this process.

use std::{io::Read as _, net::TcpListener, os::fd::AsRawFd as _, thread, thread::JoinHandle};

use rustix::thread::set_no_new_privs;
use tracer_core::{Asked, ConnectionId, ProcessFacts, ProcessKey, Readers, StackId, Timestamp};

use super::*;
use crate::process::{
    identity::{TICK_NS, started},
    user_stack::UserStack,
};

/// A worker with a setup, and the tracer's end of its socket.
fn start() -> (UnixStream, JoinHandle<io::Result<()>>) {
    start_after(|| {})
}

/// The same, whose thread does something first.
fn start_after(first: fn()) -> (UnixStream, JoinHandle<io::Result<()>>) {
    let (mut ours, its) = UnixStream::pair().unwrap();
    let worker = thread::spawn(move || {
        first();
        run(&its)
    });
    ours.write_all(&Setup::default().to_frame().unwrap()).unwrap();
    let ready = read_reply(&mut ours);
    assert!(ready.is_ready());
    (ours, worker)
}

fn read_reply(socket: &mut UnixStream) -> Reply {
    let message = frame::read_from(socket).unwrap().unwrap();
    Reply::read(&message, frame::MESSAGE_MAX).unwrap()
}

fn this_process() -> ProcessKey {
    let pid = std::process::id();
    ProcessKey { start_time_ns: started(pid).unwrap() * TICK_NS, pid }
}

#[test]
fn requests_are_answered_in_their_order_until_the_tracer_closes_the_socket() {
    let (mut socket, worker) = start();
    let ended = ProcessKey { start_time_ns: 1, ..this_process() };
    let requests = [this_process(), ended, this_process()].map(Task::Process);
    let requests: Vec<Request> =
        (7..).zip(requests).map(|(sequence, task)| Request { sequence, task }).collect();
    let sent_at = clock::now();
    for request in &requests {
        socket.write_all(&request.to_frame().unwrap()).unwrap();
    }
    for request in &requests {
        let reply = read_reply(&mut socket);
        assert_eq!(reply.check(request, sent_at, clock::now()), Ok(()));
        let is_ended = request.task == Task::Process(ended);
        assert_eq!(reply.answer == Answer::Ended, is_ended);
    }
    drop(socket);
    worker.join().unwrap().unwrap();
}

/// The answers of a worker whose thread does something first.
fn answers(first: fn(), tasks: &[Task]) -> Vec<Answer> {
    let (mut socket, worker) = start_after(first);
    let mut answers = Vec::new();
    for (sequence, task) in (1..).zip(tasks) {
        let request = Request { sequence, task: task.clone() };
        socket.write_all(&request.to_frame().unwrap()).unwrap();
        let reply = read_reply(&mut socket);
        answers.push(reply.answer);
    }
    drop(socket);
    worker.join().unwrap().unwrap();
    answers
}

#[test]
fn the_filter_does_not_hinder_inspections() {
    let process = this_process();
    // Its line is in the debug information of this program.
    let address = answers as fn(fn(), &[Task]) -> Vec<Answer> as usize;
    let recorded = UserStack { addresses: vec![address as u64 + 1], top: None };
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let asked = Asked { id: ConnectionId(1), fd: socket.as_raw_fd().cast_unsigned(), inode: 0 };
    let tasks = [
        Task::Process(process),
        Task::Readers { process, asked: vec![asked] },
        Task::CallSite {
            process,
            stack: StackId(1),
            recorded: Some(recorded),
            with_debug_info: true,
        },
        Task::Entries(process),
        // It has exited: no process has this pid.
        Task::Process(ProcessKey { pid: 1 << 30, ..process }),
    ];
    let filter = || {
        set_no_new_privs(true).unwrap();
        filter_system_calls().unwrap();
    };
    // Other tests open files meanwhile, and an answer about readers has a time.
    let comparable = |answer| match answer {
        Answer::Process(facts) => Answer::Process(ProcessFacts { open_fds: None, ..facts }),
        Answer::Readers(readers) => {
            Answer::Readers(Readers { at: Timestamp::default(), ..readers })
        }
        answer => answer,
    };
    let [without, with] = [|| {}, filter]
        .map(|first| answers(first, &tasks).into_iter().map(comparable).collect::<Vec<_>>());
    assert_eq!(with, without);
    let [Answer::Process(_), Answer::Readers(_), Answer::CallSite(site), _, Answer::Ended] =
        &with[..]
    else {
        panic!("{with:?}");
    };
    let location = site.location.as_deref().unwrap_or_default();
    assert!(location.contains("tests.rs:"), "{site:?}");
}

#[test]
fn a_malformed_message_ends_the_worker() {
    let (mut socket, worker) = start();
    socket.write_all(&[1, 0, 0, 0, 0]).unwrap();
    assert_eq!(worker.join().unwrap().unwrap_err().kind(), ErrorKind::InvalidData);
    let mut rest = Vec::new();
    socket.read_to_end(&mut rest).unwrap();
    assert_eq!(rest, []);
}
