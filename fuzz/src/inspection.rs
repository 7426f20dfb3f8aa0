//! What an inspection worker says, which may have been compromised by a process that it reads.

use tracer_core::{Asked, ConnectionId, ProcessKey, Timestamp};
use tracer_inspect::protocol::{Reply, Request, Task, frame::FrameBuffer};

/// The longest reply that is read here.
const REPLY_MAX: usize = 64 << 10;

/// Frames with replies to a request about readers.
///
/// # Panics
/// A reply is read as something else than what is written for it.
pub fn reply(bytes: &[u8]) {
    let process = ProcessKey { start_time_ns: 70_000_000, pid: 4_711 };
    let asked = (1..=3).map(|number| Asked { id: ConnectionId(number), fd: 5, inode: 6 }).collect();
    let request = Request { sequence: 1, task: Task::Readers { process, asked } };
    let mut buffer = FrameBuffer::default();
    buffer.extend(bytes);
    while let Ok(Some(message)) = buffer.next_message(REPLY_MAX) {
        let Ok(reply) = Reply::read(&message, REPLY_MAX) else { return };
        let _ = reply.check(&request, Timestamp::from_ms(1_000), Timestamp::from_ms(1_020));
        let written = reply.to_frame(REPLY_MAX);
        assert!(written.ends_with(&message), "one value has one form");
    }
}
