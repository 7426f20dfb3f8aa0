//! The worker in a thread, asked about this process.

use std::{io::Read as _, thread, thread::JoinHandle};

use tracer_core::ProcessKey;

use super::*;
use crate::process::identity::{TICK_NS, started};

/// A worker with a setup, and the tracer's end of its socket.
fn start() -> (UnixStream, JoinHandle<io::Result<()>>) {
    let (mut ours, its) = UnixStream::pair().unwrap();
    let worker = thread::spawn(move || run(&its));
    ours.write_all(&Setup::default().to_frame().unwrap()).unwrap();
    let ready = Reply::read(&frame::read_from(&mut ours).unwrap().unwrap()).unwrap();
    assert!(ready.is_ready());
    (ours, worker)
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
        let reply = Reply::read(&frame::read_from(&mut socket).unwrap().unwrap()).unwrap();
        assert_eq!(reply.check(request, sent_at, clock::now()), Ok(()));
        let is_ended = request.task == Task::Process(ended);
        assert_eq!(reply.answer == Answer::Ended, is_ended);
    }
    drop(socket);
    worker.join().unwrap().unwrap();
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
