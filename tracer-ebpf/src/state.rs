//! Connections that are opened, and what becomes of them: `sock:inet_sock_set_state`, or the one
//! function that has the transitions which matter here, `void tcp_set_state(struct sock *sk, int
//! state)`.

use aya_ebpf::programs::{
    BtfTracePointContext, FEntryContext, ProbeContext, tracing::StackIdContext,
};
use aya_log_ebpf::{debug, warn};
use tracer_common::{Counter, EventKind};

use crate::{
    emit::{Lost, count, emit},
    identity,
    read::{Direct, Helped, Probed, Read},
    registers::argument,
    scope,
    sock::{ReadSock, STATE_CLOSE, STATE_CLOSE_WAIT, STATE_ESTABLISHED, STATE_SYN_SENT, Sock},
    stack,
    task::Task,
};

/// Handles a state change as the tracepoint shows it.
#[inline(always)]
pub(crate) fn at_tracepoint(context: &BtfTracePointContext) {
    // SAFETY: the tracepoint's first argument is a socket.
    let sock = unsafe { Sock::<Direct>::new(context.arg(0)) };
    changed(context, &sock, context.arg(1), context.arg(2));
}

/// Handles one as the function is entered, whose arguments the verifier knows.
#[inline(always)]
pub(crate) fn at_entry(context: &FEntryContext) {
    // SAFETY: the function's first argument is a socket.
    let sock = unsafe { Sock::<Direct>::new(context.arg(0)) };
    let Some(old) = sock.state() else { return };
    changed(context, &sock, old, context.arg(1));
}

/// The same from the registers.
#[inline(always)]
pub(crate) fn at_probe(context: &ProbeContext) {
    let state = || {
        // SAFETY: `Probed` reads anything.
        let sock = unsafe { Sock::<Probed>::new(argument(context, 0)? as *const u8) };
        let old = sock.state()?;
        // The rest of the register is anything.
        Some((sock, old, (argument(context, 1)? & 0xff) as u8))
    };
    match state() {
        Some((sock, old, new)) => changed(context, &sock, old, new),
        None => count(Counter::ReadFailed),
    }
}

/// Handles one state change.
#[inline(always)]
fn changed<R: ReadSock>(context: &impl StackIdContext, sock: &Sock<R>, old: u8, new: u8) {
    let opens = old == STATE_CLOSE && new == STATE_SYN_SENT;
    // The other states of a closing connection follow from the application's own close, which ends
    // in a destroyed socket.
    if !opens && !matches!(new, STATE_ESTABLISHED | STATE_CLOSE_WAIT | STATE_CLOSE) {
        return;
    }
    let Some(tcp) = sock.as_tcp() else { return };
    if tcp.is_internal() != Some(false) {
        return;
    }
    let outcome = if opens {
        opened(context, sock, &tcp)
    } else if new == STATE_CLOSE && (tcp.has_file() != Some(true) || is_listener(&tcp)) {
        // Nothing holds it any more: the kernel is about to destroy it, and that is an event too.
        return;
    } else {
        entered(sock, &tcp, old, new)
    };
    match outcome {
        None => {}
        Some(Ok(cookie)) => debug!(context, "socket {:x}: state {} to {}", cookie, old, new),
        Some(Err(lost)) => warn!(context, "state {} to {} lost: {}", old, new, lost.reason()),
    }
}

/// Whether the socket never had a peer.
#[inline(always)]
fn is_listener<R: Read>(tcp: &Sock<R>) -> bool {
    tcp.remote_port() == Some(0)
}

/// `connect` was called. The kernel moves a socket to SYN_SENT in the task that called it, and
/// nowhere else: this is the one transition that may be attributed. Gives the socket's cookie, or
/// `None` if it is out of scope.
#[inline(always)]
fn opened<R: ReadSock>(
    context: &impl StackIdContext,
    sock: &Sock<R>,
    tcp: &Sock<R>,
) -> Option<Result<u64, Lost>> {
    let task = Task::<Helped>::current();
    let Some(pid) = task.visible_pid() else {
        count(Counter::ReadFailed);
        return Some(Err(Lost::ReadFailed));
    };
    if !scope::has_process(pid) {
        return None;
    }
    let cookie = identity::of(sock);
    scope::enter(cookie);
    let stack = stack::of_system_call(context);
    let outcome = emit(EventKind::Connect, cookie, |record| {
        record.stack = stack;
        record.old_state = STATE_CLOSE;
        record.new_state = STATE_SYN_SENT;
        tcp.fill_ends(record)?;
        task.fill(pid, record)
    });
    Some(outcome.map(|()| cookie))
}

/// A segment or a timer moved the connection on. Whichever task the interrupt came upon had no
/// part in it, so none is named. Gives the socket's cookie, or `None` if it is out of scope.
#[inline(always)]
fn entered<R: ReadSock>(
    sock: &Sock<R>,
    tcp: &Sock<R>,
    old: u8,
    new: u8,
) -> Option<Result<u64, Lost>> {
    let cookie = identity::of(sock);
    if !scope::has_socket(cookie) {
        return None;
    }
    let outcome = emit(EventKind::State, cookie, |record| {
        record.old_state = old;
        record.new_state = new;
        tcp.fill_ends(record)
    });
    Some(outcome.map(|()| cookie))
}
