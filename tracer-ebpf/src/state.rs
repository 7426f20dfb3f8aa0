//! State changes of TCP connections: the tracepoint `sock:inet_sock_set_state`, or the function
//! `void tcp_set_state(struct sock *sk, int state)`, through which all reported transitions go.

use aya_ebpf::programs::{
    BtfTracePointContext, FEntryContext, ProbeContext, tracing::StackIdContext,
};
use aya_log_ebpf::{debug, warn};
use tracer_common::{Counter, EventKind};

use crate::{
    emit::{Lost, count, emit},
    identity,
    read::{Direct, DirectOrProbed, Probed, Read},
    registers::argument,
    scope,
    sock::{ReadSock, STATE_CLOSE, STATE_CLOSE_WAIT, STATE_ESTABLISHED, STATE_SYN_SENT, Sock},
    stack,
    task::Task,
};

/// Handles the tracepoint.
#[inline(always)]
pub(crate) fn at_tracepoint(context: &BtfTracePointContext) {
    // SAFETY: the first argument is a `struct sock *`, and the verifier knows its type.
    let sock = unsafe { Sock::<Direct>::new(context.arg(0)) };
    on_change(context, &sock, context.arg(1), context.arg(2));
}

/// Handles fentry of the function.
#[inline(always)]
pub(crate) fn at_entry(context: &FEntryContext) {
    // SAFETY: the first argument is a `struct sock *`, and the verifier knows its type.
    let sock = unsafe { Sock::<Direct>::new(context.arg(0)) };
    let Some(old) = sock.state() else { return };
    on_change(context, &sock, old, context.arg(1));
}

/// Handles the kprobe on the function.
#[inline(always)]
pub(crate) fn at_probe(context: &ProbeContext) {
    let state = || {
        // SAFETY: `Probed` accepts any address.
        let sock = unsafe { Sock::<Probed>::new(argument(context, 0)? as *const u8) };
        let old = sock.state()?;
        // A state fits into the low byte; the ABI leaves the upper half of the register undefined.
        Some((sock, old, (argument(context, 1)? & 0xff) as u8))
    };
    match state() {
        Some((sock, old, new)) => on_change(context, &sock, old, new),
        None => count(Counter::ReadFailed),
    }
}

/// Handles one state change.
#[inline(always)]
fn on_change<R: ReadSock>(context: &impl StackIdContext, sock: &Sock<R>, old: u8, new: u8) {
    let opens = old == STATE_CLOSE && new == STATE_SYN_SENT;
    // The other states of a closing connection follow the application's close or shutdown. A close
    // leads to the destruction of the socket, and after a shutdown the snapshot shows the state.
    if !opens && !matches!(new, STATE_ESTABLISHED | STATE_CLOSE_WAIT | STATE_CLOSE) {
        return;
    }
    let Some(tcp) = sock.as_tcp() else { return };
    if tcp.is_internal() != Some(false) {
        return;
    }
    let outcome = if opens {
        on_connect(context, sock, &tcp)
    } else if new == STATE_CLOSE && (tcp.has_file() != Some(true) || is_listener(&tcp)) {
        // Without a file, the kernel is about to destroy the socket, which is an event of its own.
        // A listener that was shut down is not a connection.
        return;
    } else {
        on_transition(sock, &tcp, old, new)
    };
    match outcome {
        None => {}
        Some(Ok(cookie)) => debug!(context, "socket {:x}: state {} to {}", cookie, old, new),
        Some(Err(lost)) => warn!(context, "state {} to {} lost: {}", old, new, lost.reason()),
    }
}

/// Whether the socket is a listener: it never had a peer.
#[inline(always)]
fn is_listener<R: Read>(tcp: &Sock<R>) -> bool {
    tcp.remote_port() == Some(0)
}

/// Reports a call of `connect`. The kernel moves a socket to SYN_SENT only in the context of the
/// task that connects, so this is the one transition that may be attributed to the current task.
/// Returns the socket's cookie, or `None` if it is out of scope.
#[inline(always)]
fn on_connect<R: ReadSock>(
    context: &impl StackIdContext,
    sock: &Sock<R>,
    tcp: &Sock<R>,
) -> Option<Result<u64, Lost>> {
    let task = Task::<DirectOrProbed>::current();
    let Some(pid) = task.visible_pid() else {
        count(Counter::ReadFailed);
        return Some(Err(Lost::ReadFailed));
    };
    if !scope::includes_process(pid) {
        return None;
    }
    let cookie = identity::get_or_assign(sock);
    scope::add_socket(cookie);
    let stack = stack::of_system_call(context, pid);
    let outcome = emit(EventKind::Connect, cookie, |record| {
        record.stack = stack;
        record.old_state = STATE_CLOSE;
        record.new_state = STATE_SYN_SENT;
        tcp.fill_endpoints(record)?;
        task.fill(pid, record)
    });
    Some(outcome.map(|()| cookie))
}

/// Reports a transition that a received segment or a timer caused. It may run in a softirq on top
/// of an unrelated task, so no process is attributed. Returns the socket's cookie, or `None` if it
/// is out of scope.
#[inline(always)]
fn on_transition<R: ReadSock>(
    sock: &Sock<R>,
    tcp: &Sock<R>,
    old: u8,
    new: u8,
) -> Option<Result<u64, Lost>> {
    let cookie = identity::get_or_assign(sock);
    if !scope::includes_socket(cookie) {
        return None;
    }
    let outcome = emit(EventKind::State, cookie, |record| {
        record.old_state = old;
        record.new_state = new;
        tcp.fill_endpoints(record)
    });
    Some(outcome.map(|()| cookie))
}
