//! The destruction of a socket: the tracepoint `tcp:tcp_destroy_sock`, or the function that
//! contains it, `tcp_v4_destroy_sock(struct sock *sk)`, which IPv6 calls too.

use aya_ebpf::{
    EbpfContext,
    programs::{BtfTracePointContext, FEntryContext, ProbeContext},
};
use aya_log_ebpf::{debug, warn};
use tracer_common::{Counter, EventKind};

use crate::{
    emit::{count, emit},
    identity,
    read::{Direct, Probed},
    registers::argument,
    scope,
    sock::{ReadSock, Sock},
};

/// Handles the tracepoint.
#[inline(always)]
pub(crate) fn at_tracepoint(context: &BtfTracePointContext) {
    // SAFETY: the tracepoint's argument is a `struct sock *`, and the verifier knows its type.
    on_destroy(context, &unsafe { Sock::<Direct>::new(context.arg(0)) });
}

/// Handles fentry of the function.
#[inline(always)]
pub(crate) fn at_entry(context: &FEntryContext) {
    // SAFETY: the function's argument is a `struct sock *`, and the verifier knows its type.
    on_destroy(context, &unsafe { Sock::<Direct>::new(context.arg(0)) });
}

/// Handles the kprobe on the function.
#[inline(always)]
pub(crate) fn at_probe(context: &ProbeContext) {
    match argument(context, 0) {
        // SAFETY: `Probed` accepts any address.
        Some(sock) => on_destroy(context, &unsafe { Sock::<Probed>::new(sock as *const u8) }),
        None => count(Counter::ReadFailed),
    }
}

/// Reports the destruction of a socket.
#[inline(always)]
fn on_destroy<R: ReadSock>(context: &impl EbpfContext, sock: &Sock<R>) {
    let Some(tcp) = sock.as_tcp() else { return };
    // A socket without an identity was in no event and no snapshot, so its destruction is not
    // reported. The remote port cannot be used to recognize such sockets: it is 0 again after a
    // refused connection.
    let Some(cookie) = identity::remove(sock).filter(|&cookie| cookie != 0) else { return };
    if !scope::remove_socket(cookie) {
        return;
    }
    let outcome = emit(EventKind::Destroy, cookie, |record| {
        record.old_state = tcp.state()?;
        record.new_state = record.old_state;
        tcp.fill_endpoints(record)
    });
    match outcome {
        Ok(()) => debug!(context, "socket {:x}: destroyed", cookie),
        Err(lost) => warn!(context, "socket {:x}: destroy lost: {}", cookie, lost.reason()),
    }
}
