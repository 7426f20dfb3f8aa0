//! The end of a socket: `tcp:tcp_destroy_sock`, or the function that it is in,
//! `tcp_v4_destroy_sock(struct sock *sk)`, which IPv6 calls too.

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

/// Handles it as the tracepoint shows it.
#[inline(always)]
pub(crate) fn at_tracepoint(context: &BtfTracePointContext) {
    // SAFETY: the tracepoint's argument is a socket.
    destroyed(context, &unsafe { Sock::<Direct>::new(context.arg(0)) });
}

/// Handles it as the function is entered, whose argument the verifier knows.
#[inline(always)]
pub(crate) fn at_entry(context: &FEntryContext) {
    // SAFETY: the function's argument is a socket.
    destroyed(context, &unsafe { Sock::<Direct>::new(context.arg(0)) });
}

/// The same from the registers.
#[inline(always)]
pub(crate) fn at_probe(context: &ProbeContext) {
    match argument(context, 0) {
        // SAFETY: `Probed` reads anything.
        Some(sock) => destroyed(context, &unsafe { Sock::<Probed>::new(sock as *const u8) }),
        None => count(Counter::ReadFailed),
    }
}

/// Handles the destruction of one socket.
#[inline(always)]
fn destroyed<R: ReadSock>(context: &impl EbpfContext, sock: &Sock<R>) {
    let Some(tcp) = sock.as_tcp() else { return };
    // Without an identity it was in no event and in no snapshot: nobody would know what ended. The
    // remote port says nothing: it is 0 again after a connection that was refused.
    let Some(cookie) = identity::take(sock).filter(|&cookie| cookie != 0) else { return };
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
