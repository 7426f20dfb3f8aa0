//! The return from the system calls `accept` and `accept4`: who took an incoming connection.
//!
//! It is the system call's own function and not `inet_csk_accept`, because the descriptor is known
//! only there.
//!
//! `accept` through io_uring or the 32-bit `socketcall` does not pass here; the owner then comes
//! from the next snapshot.

use aya_ebpf::programs::{
    FExitContext, RetProbeContext, TracePointContext, tracing::StackIdContext,
};
use aya_log_ebpf::{debug, warn};
use tracer_common::{Counter, EventKind};

use crate::{
    emit::{Lost, count, emit},
    globals::offset,
    identity,
    read::{Helped, Probed, Read},
    registers, scope,
    sock::Sock,
    stack,
    task::Task,
};

/// Handles the return as the system call's tracepoint shows it.
#[inline(always)]
pub(crate) fn at_tracepoint(context: &TracePointContext) {
    // SAFETY: the helper behind it fails on an address that cannot be read.
    returned(context, unsafe { context.read_at(offset!(syscall_return)) }.ok());
}

/// Handles the return from the system call's function, `long (const struct pt_regs *)`.
#[inline(always)]
pub(crate) fn at_exit(context: &FExitContext) {
    // What it returned follows its only argument. The helper that knows is of 5.17.
    returned(context, Some(context.arg(1)));
}

/// The same from the registers.
#[inline(always)]
pub(crate) fn at_probe(context: &RetProbeContext) {
    returned(context, registers::result(context));
}

/// Handles the return from one `accept`, with what it returned.
#[inline(always)]
fn returned(context: &impl StackIdContext, result: Option<i64>) {
    let Some(fd) = result else {
        count(Counter::ReadFailed);
        return;
    };
    let Ok(fd) = u32::try_from(fd) else {
        // An error: nothing was accepted.
        return;
    };
    let task = Task::<Helped>::current();
    let (sock, cookie, pid) = match accepted(&task, fd) {
        Some(Lookup::Found(found)) => found,
        Some(Lookup::NotOurs) => return,
        None => {
            count(Counter::ReadFailed);
            warn!(context, "accept of descriptor {} lost: {}", fd, Lost::ReadFailed.reason());
            return;
        }
    };
    scope::enter(cookie);
    let stack = stack::of_system_call(context);
    let outcome = emit(EventKind::Accept, cookie, |record| {
        record.stack = stack;
        record.fd = fd.cast_signed();
        record.new_state = sock.state()?;
        sock.fill_ends(record)?;
        task.fill(pid, record)
    });
    match outcome {
        Ok(()) => debug!(context, "socket {:x}: accepted by {} as {}", cookie, pid, fd),
        Err(lost) => warn!(context, "accept of descriptor {} lost: {}", fd, lost.reason()),
    }
}

/// What a lookup came to that no failed read put an end to.
enum Lookup<T> {
    Found(T),
    /// There is something else, or nothing, or it is out of scope.
    NotOurs,
}

/// The TCP socket behind the descriptor, its cookie, and the process; `None` if a read failed.
#[inline(always)]
fn accepted(task: &Task<Helped>, fd: u32) -> Option<Lookup<(Sock<Probed>, u64, u32)>> {
    let pid = task.visible_pid()?;
    if !scope::has_process(pid) {
        return Some(Lookup::NotOurs);
    }
    let Lookup::Found(sock) = socket_of(task, fd)? else { return Some(Lookup::NotOurs) };
    if !sock.is_tcp()? {
        return Some(Lookup::NotOurs);
    }
    // This program cannot give a socket its cookie. The state change to ESTABLISHED did, unless it
    // came before that hook was attached, or the connection was accepted before it was established
    // (TCP Fast Open). Either way the descriptor is in the table now, and the next snapshot finds
    // it there, with its owner; nothing is lost.
    let cookie = identity::of_known(&sock)?;
    if cookie == 0 {
        return Some(Lookup::NotOurs);
    }
    Some(Lookup::Found((sock, cookie, pid)))
}

/// The socket that the task's descriptor refers to: `current->files->fdt->fd[fd]->private_data->sk`.
/// It may refer to none: another thread may have closed it by now, and opened something else there.
#[inline(always)]
fn socket_of(task: &Task<Helped>, fd: u32) -> Option<Lookup<Sock<Probed>>> {
    let files: *const u8 = task.field(offset!(task_files))?;
    // SAFETY: pointer fields of what `Helped` can read, and `Probed` reads anything: what the table
    // points to has no type for the verifier.
    unsafe {
        let table: *const u8 = Helped::read(files, offset!(files_table))?;
        let size: u32 = Helped::read(table, offset!(table_size))?;
        if fd >= size {
            return Some(Lookup::NotOurs);
        }
        let slots: *const u8 = Helped::read(table, offset!(table_files))?;
        let file: *const u8 = Probed::read(slots, fd as usize * size_of::<*const u8>())?;
        if file.is_null() {
            return Some(Lookup::NotOurs);
        }
        let socket: *const u8 = Probed::read(file, offset!(file_private))?;
        // Only a socket points back to its file. Of another kind of file, `private_data` may be
        // anything, and a read that fails says no more than that.
        if Probed::read(socket, offset!(socket_file)) != Some(file) {
            return Some(Lookup::NotOurs);
        }
        let sock: *const u8 = Probed::read(socket, offset!(socket_sock))?;
        if sock.is_null() {
            return Some(Lookup::NotOurs);
        }
        Some(Lookup::Found(Sock::new(sock)))
    }
}
