//! `tcp:tcp_destroy_sock`: the end of a socket.

use aya_ebpf::programs::BtfTracePointContext;
use aya_log_ebpf::{debug, warn};
use tracer_common::EventKind;

use crate::{emit::emit, read::Direct, scope, sock::Sock};

/// Handles the destruction of one socket.
#[inline(always)]
pub(crate) fn destroyed(context: &BtfTracePointContext) {
    // SAFETY: the tracepoint's argument is a socket.
    let sock = unsafe { Sock::<Direct>::new(context.arg(0)) };
    let Some(tcp) = sock.as_tcp() else { return };
    // Without a cookie it was in no event and in no snapshot: nobody would know what ended. The
    // remote port says nothing: it is 0 again after a connection that was refused.
    let Some(cookie) = tcp.cookie_if_any().filter(|&cookie| cookie != 0) else { return };
    if !scope::leave(cookie) {
        return;
    }
    let outcome = emit(EventKind::Destroy, cookie, |record| {
        record.old_state = tcp.state()?;
        record.new_state = record.old_state;
        tcp.fill_ends(record)
    });
    match outcome {
        Ok(()) => debug!(context, "socket {:x}: destroyed", cookie),
        Err(lost) => warn!(context, "socket {:x}: destroy lost: {}", cookie, lost.reason()),
    }
}
