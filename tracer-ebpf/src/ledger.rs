//! The ledger of Go's HTTP client: which responses are out.
//!
//! The programs hang on the entries of functions of `net/http`, in the processes that the user side
//! chose. The map is the state, and nobody is told of a single request: what is in it was handed
//! out, or is about to be, and was not given back.
//!
//! A function of Go's begins a second time when its stack had to grow first, so nothing may depend
//! on how often a program runs for a call.

use aya_ebpf::{
    bindings::BPF_ANY,
    helpers::{bpf_get_current_pid_tgid, bpf_ktime_get_ns},
    programs::ProbeContext,
};
use tracer_common::{Counter, LedgerKey, LedgerKind, LedgerRecord};

use crate::{
    emit::count,
    globals::go_argument_offset,
    maps::LEDGER,
    read::{Probed, Read},
    stack,
    task::Task,
};

/// A response is asked for: it is on the ledger from here on.
#[inline(always)]
pub(crate) fn hand_out(context: &ProbeContext, kind: LedgerKind, argument: usize) {
    let entry = key(context, kind, argument).zip(record(stack::of_caller(context)));
    match entry {
        Some((key, record)) => enter(&key, &record),
        None => count(Counter::ReadFailed),
    }
}

/// It was given back, or will never be: the connection is free again or closed, the stream is over.
#[inline(always)]
pub(crate) fn take_back(context: &ProbeContext, kind: LedgerKind, argument: usize) {
    match key(context, kind, argument) {
        // Connections are also put back and closed that nothing was asked for on.
        Some(key) => drop(LEDGER.remove(key)),
        None => count(Counter::ReadFailed),
    }
}

/// A goroutine of the client's own gives a request of HTTP/2 a stream, which carries the response.
/// Who asked is known by the request.
#[inline(always)]
pub(crate) fn move_to_stream(context: &ProbeContext, stream: usize, request: usize) {
    let keys =
        key(context, LedgerKind::Stream, stream).zip(key(context, LedgerKind::Request, request));
    let Some((stream, request)) = keys else {
        count(Counter::ReadFailed);
        return;
    };
    // SAFETY: of a request, nobody but this stream and the user side, which gives it some seconds,
    // removes the entry.
    let pending = unsafe { LEDGER.get(request) }.copied();
    if let Some(record) = pending {
        enter(&stream, &record);
        let _ = LEDGER.remove(request);
    } else if LEDGER.get_ptr(stream).is_none() {
        // It was asked for before the hook was there.
        count(Counter::StackLost);
        match record(stack::NONE) {
            Some(record) => enter(&stream, &record),
            None => count(Counter::ReadFailed),
        }
    }
}

#[inline(always)]
fn enter(key: &LedgerKey, record: &LedgerRecord) {
    if LEDGER.insert(key, record, u64::from(BPF_ANY)).is_err() {
        count(Counter::LedgerFull);
    }
}

#[inline(always)]
fn key(context: &ProbeContext, kind: LedgerKind, argument: usize) -> Option<LedgerKey> {
    // Where a register is depends on the architecture, which only the user side knows. The verifier
    // wants that known in the program if it is to be loaded from the context, so a helper does it.
    // SAFETY: the context is a `struct pt_regs`, and any bytes are a valid address.
    let carrier = unsafe { Probed::read(context.regs.cast(), go_argument_offset(argument)) }?;
    let tgid = (bpf_get_current_pid_tgid() >> 32) as u32;
    Some(LedgerKey { carrier, tgid, kind: kind as u32 })
}

#[inline(always)]
fn record(stack: i32) -> Option<LedgerRecord> {
    let task = Task::<Probed>::current();
    // SAFETY: the helper has no preconditions.
    let at_ns = unsafe { bpf_ktime_get_ns() };
    Some(LedgerRecord {
        at_ns,
        start_time_ns: task.start_time_ns()?,
        pid: task.visible_pid()?,
        stack,
    })
}
