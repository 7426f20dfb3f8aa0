//! The map `LEDGER`: the open responses of Go's HTTP client.
//!
//! The programs are uprobes on the entries of functions of `net/http`, in the processes to which
//! user space attaches them. A response is in the map from its request until it is released: its
//! connection goes back to the pool or is closed, or its stream ends. No event is emitted for a
//! request; user space reads the entire map.
//!
//! After the prologue of a Go function has grown the stack, it runs again, and so does the uprobe.
//! Therefore no program may depend on how often it runs in one call.

use aya_ebpf::{
    bindings::BPF_ANY,
    helpers::{bpf_get_current_pid_tgid, bpf_ktime_get_ns},
    programs::ProbeContext,
};
use tracer_common::{Counter, LedgerKey, LedgerKind, LedgerRecord, NO_STACK};

use crate::{
    emit::count,
    globals::go_argument_offset,
    maps::{LEDGER, LEDGER_OFF},
    read::{Probed, Read},
    stack,
    task::Task,
};

/// Adds a response when it is requested. `argument` is the number of the function's argument that
/// points to the object of this kind.
#[inline(always)]
pub(crate) fn add(context: &ProbeContext, kind: LedgerKind, argument: usize) {
    if is_off() {
        return;
    }
    let entry = key(context, kind, argument).zip(record());
    match entry {
        Some((key, record)) => {
            let stack = stack::of_caller(context, record.pid);
            insert(&key, &LedgerRecord { stack, ..record });
        }
        None => count(Counter::ReadFailed),
    }
}

/// Removes a response: its connection is free again or closed, or its stream is over.
#[inline(always)]
pub(crate) fn remove(context: &ProbeContext, kind: LedgerKind, argument: usize) {
    if is_off() {
        return;
    }
    match key(context, kind, argument) {
        // An error only means that the map has no such response: connections without a request are
        // returned to the pool and closed as well.
        Some(key) => drop(LEDGER.remove(key)),
        None => count(Counter::ReadFailed),
    }
}

/// Moves an HTTP/2 response from the entry of its request to one of its stream. A goroutine of the
/// HTTP client assigns the stream, so the stack of the application's call is only in the entry of
/// the request.
#[inline(always)]
pub(crate) fn move_to_stream(context: &ProbeContext, stream: usize, request: usize) {
    if is_off() {
        return;
    }
    let keys =
        key(context, LedgerKind::Stream, stream).zip(key(context, LedgerKind::Request, request));
    let Some((stream, request)) = keys else {
        count(Counter::ReadFailed);
        return;
    };
    // SAFETY: the pointer is to a value of a preallocated map, which stays mapped while the program
    // runs, and any bytes are a valid record. No reference is made, since the entry may be replaced
    // during the copy, if the program sends the same request again on another CPU. The copy may
    // then mix two records, and this stream has a wrong time or stack.
    let pending = LEDGER.get_ptr(request).map(|record| unsafe { record.read_volatile() });
    if let Some(record) = pending {
        insert(&stream, &record);
        let _ = LEDGER.remove(request);
    } else if LEDGER.get_ptr(stream).is_none() {
        // The request was made before the uprobes were attached, so its stack is unknown.
        match record() {
            Some(record) => insert(&stream, &record),
            None => count(Counter::ReadFailed),
        }
    }
}

/// Whether the run is over.
#[inline(always)]
fn is_off() -> bool {
    // SAFETY: the pointer is to the value of an array, which is never freed while a program runs,
    // and any bytes are a valid number.
    LEDGER_OFF.get_ptr(0).is_some_and(|off| unsafe { off.read_volatile() } != 0)
}

#[inline(always)]
fn insert(key: &LedgerKey, record: &LedgerRecord) {
    if LEDGER.insert(key, record, u64::from(BPF_ANY)).is_err() {
        count(Counter::LedgerFull);
    }
}

#[inline(always)]
fn key(context: &ProbeContext, kind: LedgerKind, argument: usize) -> Option<LedgerKey> {
    // The verifier accepts a load from the context only at an offset in the instruction itself.
    // This offset is a setting, because it depends on the architecture, so the helper reads the
    // register.
    // SAFETY: `Probed` accepts any address.
    let object = unsafe { Probed::read(context.regs.cast(), go_argument_offset(argument)) }?;
    let tgid = (bpf_get_current_pid_tgid() >> 32) as u32;
    Some(LedgerKey { object, tgid, kind: kind as u32 })
}

/// An entry for a request made now, without its stack.
#[inline(always)]
fn record() -> Option<LedgerRecord> {
    let task = Task::<Probed>::current();
    // SAFETY: the helper has no preconditions.
    let at_ns = unsafe { bpf_ktime_get_ns() };
    Some(LedgerRecord {
        at_ns,
        start_time_ns: task.start_time_ns()?,
        stack: NO_STACK,
        pid: task.visible_pid()?,
        padding: 0,
    })
}
