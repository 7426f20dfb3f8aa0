//! The BPF programs: they observe and never judge.
//!
//! # Invariants
//! - No offset of a kernel structure is known at build time: all come from the global `OFFSETS`.
//! - The programs decide only what is out of scope. An event in scope that does not reach user
//!   space is counted.
//! - No hook is on the data path (send and receive). In Go programs whose responses are traced,
//!   uprobes are on the path of each HTTP request.
#![no_std]
#![no_main]
#![feature(core_intrinsics)]
#![expect(internal_features, reason = "one atomic addition, see emit::add")]
#![expect(
    clippy::inline_always,
    reason = "the verifier tracks pointer types and constants within one function only"
)]
#![expect(clippy::needless_pass_by_value, reason = "aya's macros pass the context by value")]

mod accept;
mod destroy;
mod emit;
mod file_tables;
mod globals;
mod identity;
mod iterator;
mod ledger;
mod maps;
mod read;
mod registers;
mod scope;
mod scratch;
mod shared_tables;
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

use crate::scope::Selection;

/// `sock:inet_sock_set_state(const struct sock *sk, const int oldstate, const int newstate)`.
#[btf_tracepoint(function = "inet_sock_set_state")]
fn inet_sock_set_state(context: BtfTracePointContext) {
    state::at_tracepoint(&context);
}

/// `tcp_set_state(struct sock *sk, int state)`, by fentry.
#[fentry(function = "tcp_set_state")]
fn enter_tcp_set_state(context: FEntryContext) {
    state::at_entry(&context);
}

/// `tcp_set_state`, by kprobe.
#[kprobe(function = "tcp_set_state")]
fn probe_tcp_set_state(context: ProbeContext) {
    state::at_probe(&context);
}

/// `tcp:tcp_destroy_sock(struct sock *sk)`.
#[btf_tracepoint(function = "tcp_destroy_sock")]
fn tcp_destroy_sock(context: BtfTracePointContext) {
    destroy::at_tracepoint(&context);
}

/// `tcp_v4_destroy_sock(struct sock *sk)`, by fentry.
#[fentry(function = "tcp_v4_destroy_sock")]
fn enter_tcp_destroy_sock(context: FEntryContext) {
    destroy::at_entry(&context);
}

/// `tcp_v4_destroy_sock`, by kprobe.
#[kprobe(function = "tcp_v4_destroy_sock")]
fn probe_tcp_destroy_sock(context: ProbeContext) {
    destroy::at_probe(&context);
}

/// `syscalls:sys_exit_accept`.
#[tracepoint(category = "syscalls", name = "sys_exit_accept")]
fn sys_exit_accept(context: TracePointContext) {
    accept::at_tracepoint(&context);
}

/// `__x64_sys_accept(const struct pt_regs *regs)`, by fexit. User space sets the name of the
/// architecture's function.
#[fexit(function = "accept")]
fn exit_accept(context: FExitContext) {
    accept::at_exit(&context);
}

/// The system call `accept`, by kretprobe.
#[kretprobe(function = "accept")]
fn probe_accept(context: RetProbeContext) {
    accept::at_probe(&context);
}

/// `syscalls:sys_exit_accept4`.
#[tracepoint(category = "syscalls", name = "sys_exit_accept4")]
fn sys_exit_accept4(context: TracePointContext) {
    accept::at_tracepoint(&context);
}

/// `__x64_sys_accept4(const struct pt_regs *regs)`, by fexit. User space sets the name of the
/// architecture's function.
#[fexit(function = "accept4")]
fn exit_accept4(context: FExitContext) {
    accept::at_exit(&context);
}

/// The system call `accept4`, by kretprobe.
#[kretprobe(function = "accept4")]
fn probe_accept4(context: RetProbeContext) {
    accept::at_probe(&context);
}

/// `net/http.(*persistConn).roundTrip(req)`.
#[uprobe]
fn go_round_trip(context: ProbeContext) {
    ledger::add(&context, LedgerKind::Connection, 0);
}

/// `net/http.(*Transport).tryPutIdleConn(connection)`.
#[uprobe]
fn go_put_idle(context: ProbeContext) {
    ledger::remove(&context, LedgerKind::Connection, 1);
}

/// `net/http.(*persistConn).closeLocked(err)`, and `mapRoundTripError`, for a connection that was
/// closed before it got its request.
#[uprobe]
fn go_close(context: ProbeContext) {
    ledger::remove(&context, LedgerKind::Connection, 0);
}

/// `net/http.(*http2ClientConn).roundTrip(req)`, or `RoundTrip` before Go 1.23. This and the next
/// two are also in the other packages that implement HTTP/2 (`LedgerKind::Stream`).
#[uprobe]
fn go_stream_round_trip(context: ProbeContext) {
    ledger::add(&context, LedgerKind::Request, 1);
}

/// `net/http.(*http2clientStream).doRequest(req)`.
#[uprobe]
fn go_stream_start(context: ProbeContext) {
    ledger::move_to_stream(&context, 0, 1);
}

/// `net/http.(*http2clientStream).cleanupWriteRequest(err)`.
#[uprobe]
fn go_stream_end(context: ProbeContext) {
    ledger::remove(&context, LedgerKind::Stream, 0);
}

/// Called for every open file of every process. `context` is the kernel's
/// `struct bpf_iter__task_file`.
#[unsafe(no_mangle)]
#[unsafe(link_section = "iter/task_file")]
extern "C" fn task_file(context: *const task_file::Context) -> i32 {
    // SAFETY: the kernel calls an iterator program with a valid context.
    task_file::visit(unsafe { &*context }, Selection::All);
    0
}

/// [`task_file`] for the processes and sockets in scope.
#[unsafe(no_mangle)]
#[unsafe(link_section = "iter/task_file")]
extern "C" fn task_file_in_scope(context: *const task_file::Context) -> i32 {
    // SAFETY: the kernel calls an iterator program with a valid context.
    task_file::visit(unsafe { &*context }, Selection::InScope);
    0
}

/// [`task_file`] for kernels without `bpf_sock_from_file`.
#[unsafe(no_mangle)]
#[unsafe(link_section = "iter/task_file")]
extern "C" fn task_file_without_helper(context: *const task_file::Context) -> i32 {
    // SAFETY: the kernel calls an iterator program with a valid context.
    task_file::visit_without_helper(unsafe { &*context }, Selection::All);
    0
}

/// [`task_file_in_scope`] for kernels without `bpf_sock_from_file`.
#[unsafe(no_mangle)]
#[unsafe(link_section = "iter/task_file")]
extern "C" fn task_file_in_scope_without_helper(context: *const task_file::Context) -> i32 {
    // SAFETY: the kernel calls an iterator program with a valid context.
    task_file::visit_without_helper(unsafe { &*context }, Selection::InScope);
    0
}

/// Called for every task. `context` is the kernel's `struct bpf_iter__task`.
#[unsafe(no_mangle)]
#[unsafe(link_section = "iter/task")]
extern "C" fn file_tables(context: *const file_tables::Context) -> i32 {
    // SAFETY: the kernel calls an iterator program with a valid context.
    file_tables::visit(unsafe { &*context }, Selection::All)
}

/// [`file_tables`] for the processes and sockets in scope.
#[unsafe(no_mangle)]
#[unsafe(link_section = "iter/task")]
extern "C" fn file_tables_in_scope(context: *const file_tables::Context) -> i32 {
    // SAFETY: the kernel calls an iterator program with a valid context.
    file_tables::visit(unsafe { &*context }, Selection::InScope)
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

/// `bpf_probe_read_kernel` and others are available only to programs with a GPL-compatible license.
#[unsafe(no_mangle)]
#[unsafe(link_section = "license")]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
