//! The inspection worker: a process that reads watched processes for the tracer.
//!
//! A watched process controls what is read here. So this happens in a separate process, which may
//! use too much memory, hang or crash: the tracer then starts another one.

mod filter;
mod limits;
mod privileges;

use std::{
    fs::File,
    io::{self, BufReader, ErrorKind, Write as _},
    os::{fd::AsFd as _, unix::net::UnixStream},
    panic,
    time::Duration,
};

pub use filter::filter_system_calls;
pub use limits::{MEMORY_MAX_BYTES, limit_resources};
pub use privileges::drop_privileges;

use rustix::net::SendFlags;

use crate::{
    clock,
    frames::rules::Rules,
    inspector::Inspector,
    protocol::{Answer, Reply, Request, Setup, Task, fd_passing, frame},
};

/// Answers the requests that arrive on `socket`, one at a time, until the other end is closed.
///
/// # Errors
/// The socket failed, or a message is malformed.
pub fn run(socket: &UnixStream) -> io::Result<()> {
    // Several requests may be read at once. Each reply is written immediately, so the worker is
    // always working on the oldest request without a reply.
    let (mut requests, mut replies) = (BufReader::new(socket), socket);
    let Some(message) = frame::read_from(&mut requests)? else { return Ok(()) };
    let setup = Setup::read(&message).map_err(|_| malformed())?;
    let rules = Rules::with_user_rules(&setup.frame_rules).map_err(|_| malformed())?;
    let mut inspector = Inspector::new(rules, setup.with_cmdline);
    let mut cpu_before = clock::cpu_time();
    let ready = Reply::ready(clock::now(), nanoseconds(cpu_before));
    replies.write_all(&ready.to_frame(frame::MESSAGE_MAX))?;
    while let Some(message) = frame::read_from(&mut requests)? {
        let request = Request::read(&message).map_err(|_| malformed())?;
        drop(message);
        let read_at = clock::now();
        let (answer, program) = answer(&mut inspector, &request.task);
        let cpu_time = clock::cpu_time();
        let cpu_ns = nanoseconds(cpu_time.saturating_sub(cpu_before));
        cpu_before = cpu_time;
        let reply = Reply { sequence: request.sequence, read_at, cpu_ns, answer };
        let frame = reply.to_frame(request.reply_max());
        // The file descriptor comes with the first bytes of the reply.
        let sent = program.map_or(Ok(0), |program| {
            fd_passing::send(socket, &frame, Some(program.as_fd()), SendFlags::empty())
        })?;
        replies.write_all(frame.get(sent..).unwrap_or_default())?;
    }
    Ok(())
}

/// Logs panics instead of printing them. Panics of libraries are caught by their callers; standard
/// error may be the terminal on which the tracer shows its table.
pub fn silence_panics() {
    panic::set_hook(Box::new(|panic| log::debug!("{panic}")));
}

/// The answer, and the file of the program to which it applies, if the tracer attaches uprobes.
fn answer(inspector: &mut Inspector, task: &Task) -> (Answer, Option<File>) {
    match task {
        Task::Entries(process) => match inspector.entries(*process) {
            Some(Ok((entries, _))) if entries.hooks.is_empty() => {
                (Answer::Entries(Some(Ok(entries))), None)
            }
            Some(Ok((entries, program))) => (Answer::Entries(Some(Ok(entries))), Some(program)),
            Some(Err(limit)) => (Answer::Entries(Some(Err(limit))), None),
            None => (Answer::Entries(None), None),
        },
        Task::Resolve { process, objects } => {
            (Answer::Resolved(inspector.resolve(*process, objects)), None)
        }
        Task::Process(_)
        | Task::ProcessInKernel(_)
        | Task::CallSite { .. }
        | Task::Readers { .. } => (Answer::of(inspector.find_out(task)), None),
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

fn malformed() -> io::Error {
    io::Error::new(ErrorKind::InvalidData, "the tracer's message is malformed")
}

#[cfg(test)]
mod tests;
