//! The kernel programs: they observe and never judge.
//!
//! # Invariants
//! - No offset of a kernel structure is known at build time: all come from the global `OFFSETS`.
//! - Nothing is decided here but what is out of scope. Every event that is in scope and does not
//!   reach the user side is counted.
//! - There is no hook on the path that data takes. Of Go programs whose responses are followed,
//!   there are hooks on the path of a request.
#![no_std]
#![no_main]
#![feature(core_intrinsics)]
#![expect(internal_features, reason = "one atomic addition, see emit::count")]
#![expect(
    clippy::inline_always,
    reason = "the verifier knows the types of pointers and the values of constants within a function"
)]
#![expect(clippy::needless_pass_by_value, reason = "so do aya's macros hand a context over")]

mod accept;
mod destroy;
mod emit;
mod globals;
mod identity;
mod ledger;
mod maps;
mod read;
mod registers;
mod scope;
mod sock;
mod stack;
mod state;
mod task;
mod task_file;
mod zeroed;

use aya_ebpf::{
    macros::{btf_tracepoint, fentry, fexit, kprobe, kretprobe, tracepoint, uprobe},
    programs::{
        BtfTracePointContext, FEntryContext, FExitContext, ProbeContext, RetProbeContext,
        TracePointContext,
    },
};
use tracer_common::LedgerKind;

use crate::task_file::Wanted;

/// `sock:inet_sock_set_state(const struct sock *sk, const int oldstate, const int newstate)`.
#[btf_tracepoint(function = "inet_sock_set_state")]
fn inet_sock_set_state(context: BtfTracePointContext) {
    state::at_tracepoint(&context);
}

/// `tcp_set_state(struct sock *sk, int state)`.
#[fentry(function = "tcp_set_state")]
fn enter_tcp_set_state(context: FEntryContext) {
    state::at_entry(&context);
}

/// The same.
#[kprobe(function = "tcp_set_state")]
fn probe_tcp_set_state(context: ProbeContext) {
    state::at_probe(&context);
}

/// `tcp:tcp_destroy_sock(struct sock *sk)`.
#[btf_tracepoint(function = "tcp_destroy_sock")]
fn tcp_destroy_sock(context: BtfTracePointContext) {
    destroy::at_tracepoint(&context);
}

/// `tcp_v4_destroy_sock(struct sock *sk)`.
#[fentry(function = "tcp_v4_destroy_sock")]
fn enter_tcp_destroy_sock(context: FEntryContext) {
    destroy::at_entry(&context);
}

/// The same.
#[kprobe(function = "tcp_v4_destroy_sock")]
fn probe_tcp_destroy_sock(context: ProbeContext) {
    destroy::at_probe(&context);
}

/// `syscalls:sys_exit_accept`.
#[tracepoint(category = "syscalls", name = "sys_exit_accept")]
fn sys_exit_accept(context: TracePointContext) {
    accept::at_tracepoint(&context);
}

/// `__x64_sys_accept(const struct pt_regs *regs)`, or what it is called elsewhere.
#[fexit(function = "accept")]
fn exit_accept(context: FExitContext) {
    accept::at_exit(&context);
}

/// The same.
#[kretprobe(function = "accept")]
fn probe_accept(context: RetProbeContext) {
    accept::at_probe(&context);
}

/// `syscalls:sys_exit_accept4`.
#[tracepoint(category = "syscalls", name = "sys_exit_accept4")]
fn sys_exit_accept4(context: TracePointContext) {
    accept::at_tracepoint(&context);
}

/// `__x64_sys_accept4(const struct pt_regs *regs)`, or what it is called elsewhere.
#[fexit(function = "accept4")]
fn exit_accept4(context: FExitContext) {
    accept::at_exit(&context);
}

/// The same.
#[kretprobe(function = "accept4")]
fn probe_accept4(context: RetProbeContext) {
    accept::at_probe(&context);
}

/// `net/http.(*persistConn).roundTrip(req)`.
#[uprobe]
fn go_round_trip(context: ProbeContext) {
    ledger::hand_out(&context, LedgerKind::Connection, 0);
}

/// `net/http.(*Transport).tryPutIdleConn(connection)`.
#[uprobe]
fn go_put_idle(context: ProbeContext) {
    ledger::take_back(&context, LedgerKind::Connection, 1);
}

/// `net/http.(*persistConn).closeLocked(err)`.
#[uprobe]
fn go_close(context: ProbeContext) {
    ledger::take_back(&context, LedgerKind::Connection, 0);
}

/// `net/http.(*http2ClientConn).RoundTrip(req)`.
#[uprobe]
fn go_stream_round_trip(context: ProbeContext) {
    ledger::hand_out(&context, LedgerKind::Request, 1);
}

/// `net/http.(*http2clientStream).doRequest(req)`.
#[uprobe]
fn go_stream_start(context: ProbeContext) {
    ledger::move_to_stream(&context, 0, 1);
}

/// `net/http.(*http2clientStream).cleanupWriteRequest(err)`.
#[uprobe]
fn go_stream_end(context: ProbeContext) {
    ledger::take_back(&context, LedgerKind::Stream, 0);
}

/// One call for every open file of every process; `context` is the kernel's
/// `struct bpf_iter__task_file`.
#[unsafe(no_mangle)]
#[unsafe(link_section = "iter/task_file")]
extern "C" fn task_file(context: *const task_file::Context) -> i32 {
    // SAFETY: the kernel calls an iterator program with a valid context.
    task_file::visit(unsafe { &*context }, Wanted::All);
    0
}

/// The same for what is in scope.
#[unsafe(no_mangle)]
#[unsafe(link_section = "iter/task_file")]
extern "C" fn task_file_in_scope(context: *const task_file::Context) -> i32 {
    // SAFETY: as above.
    task_file::visit(unsafe { &*context }, Wanted::InScope);
    0
}

/// The same where the kernel has no helper that tells a socket's file from others.
#[unsafe(no_mangle)]
#[unsafe(link_section = "iter/task_file")]
extern "C" fn task_file_without_helper(context: *const task_file::Context) -> i32 {
    // SAFETY: as above.
    task_file::visit_without_helper(unsafe { &*context }, Wanted::All);
    0
}

/// And that for what is in scope.
#[unsafe(no_mangle)]
#[unsafe(link_section = "iter/task_file")]
extern "C" fn task_file_in_scope_without_helper(context: *const task_file::Context) -> i32 {
    // SAFETY: as above.
    task_file::visit_without_helper(unsafe { &*context }, Wanted::InScope);
    0
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

/// The helpers that read kernel memory are for programs under a licence compatible with the GPL.
#[unsafe(no_mangle)]
#[unsafe(link_section = "license")]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
