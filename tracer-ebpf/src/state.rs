//! `sock:inet_sock_set_state`: connections that are opened, and what becomes of them.

use aya_ebpf::programs::BtfTracePointContext;
use aya_log_ebpf::{debug, warn};
use tracer_common::{Counter, EventKind};

use crate::{
    emit::{Lost, count, emit},
    read::Direct,
    scope,
    sock::{STATE_CLOSE, STATE_CLOSE_WAIT, STATE_ESTABLISHED, STATE_SYN_SENT, Sock},
    stack,
    task::Task,
};

/// Handles one state change.
#[inline(always)]
pub(crate) fn changed(context: &BtfTracePointContext) {
    let (old, new): (u8, u8) = (context.arg(1), context.arg(2));
    let opens = old == STATE_CLOSE && new == STATE_SYN_SENT;
    // The other states of a closing connection follow from the application's own close, which ends
    // in a destroyed socket.
    if !opens && !matches!(new, STATE_ESTABLISHED | STATE_CLOSE_WAIT | STATE_CLOSE) {
        return;
    }
    // SAFETY: the tracepoint's first argument is a socket.
    let sock = unsafe { Sock::<Direct>::new(context.arg(0)) };
    let Some(tcp) = sock.as_tcp() else { return };
    if tcp.is_internal() != Some(false) {
        return;
    }
    let outcome = if opens {
        opened(context, &sock, &tcp)
    } else if new == STATE_CLOSE && (tcp.has_file() != Some(true) || is_listener(&tcp)) {
        // Nothing holds it any more: the kernel is about to destroy it, and that is an event too.
        return;
    } else {
        entered(&sock, &tcp, old, new)
    };
    match outcome {
        None => {}
        Some(Ok(cookie)) => debug!(context, "socket {:x}: state {} to {}", cookie, old, new),
        Some(Err(lost)) => warn!(context, "state {} to {} lost: {}", old, new, lost.reason()),
    }
}

/// Whether the socket never had a peer.
#[inline(always)]
fn is_listener(tcp: &Sock<Direct>) -> bool {
    tcp.remote_port() == Some(0)
}

/// `connect` was called. The kernel moves a socket to SYN_SENT in the task that called it, and
/// nowhere else: this is the one transition that may be attributed. Gives the socket's cookie, or
/// `None` if it is out of scope.
#[inline(always)]
fn opened(
    context: &BtfTracePointContext,
    sock: &Sock<Direct>,
    tcp: &Sock<Direct>,
) -> Option<Result<u64, Lost>> {
    let task = Task::<Direct>::current();
    let Some(pid) = task.visible_pid() else {
        count(Counter::ReadFailed);
        return Some(Err(Lost::ReadFailed));
    };
    if !scope::has_process(pid) {
        return None;
    }
    let cookie = sock.cookie();
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
fn entered(sock: &Sock<Direct>, tcp: &Sock<Direct>, old: u8, new: u8) -> Option<Result<u64, Lost>> {
    let cookie = sock.cookie();
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
