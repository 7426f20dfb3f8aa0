//! The return from the system calls `accept` and `accept4`: which process accepted a connection.
//!
//! The hook is on the system call, not on `inet_csk_accept`, where the file descriptor is not
//! assigned yet.
//!
//! It does not see `accept` through io_uring or by 32-bit processes, which enter the kernel through
//! compat entry points or `socketcall`; the next snapshot reports the owner of those connections.

use aya_ebpf::programs::{
    FExitContext, RetProbeContext, TracePointContext, tracing::StackIdContext,
};
use aya_log_ebpf::{debug, warn};
use tracer_common::{Counter, EventKind};

use crate::{
    emit::{Lost, count, emit},
    globals::offset,
    identity,
    read::{DirectOrProbed, Probed, Read},
    registers, scope,
    sock::Sock,
    stack,
    task::Task,
};

/// Handles the tracepoint `syscalls:sys_exit_accept` or `sys_exit_accept4`.
#[inline(always)]
pub(crate) fn at_tracepoint(context: &TracePointContext) {
    // SAFETY: `read_at` uses `bpf_probe_read`, which fails on an address that cannot be read.
    on_return(context, unsafe { context.read_at(offset!(syscall_return)) }.ok());
}

/// Handles fexit of the system call's function, `long (const struct pt_regs *)`.
#[inline(always)]
pub(crate) fn at_exit(context: &FExitContext) {
    // The return value follows the only argument. `bpf_get_func_ret` exists only since Linux 5.17.
    on_return(context, Some(context.arg(1)));
}

/// Handles the kretprobe on that function.
#[inline(always)]
pub(crate) fn at_probe(context: &RetProbeContext) {
    on_return(context, registers::result(context));
}

/// Reports the connection that a system call accepted. `result` is the system call's return value,
/// `None` if it could not be read.
#[inline(always)]
fn on_return(context: &impl StackIdContext, result: Option<i64>) {
    let Some(fd) = result else {
        count(Counter::ReadFailed);
        return;
    };
    let Ok(fd) = u32::try_from(fd) else {
        // A negative errno: nothing was accepted.
        return;
    };
    let task = Task::<DirectOrProbed>::current();
    let (sock, cookie, pid) = match accepted(&task, fd) {
        Some(Lookup::Found(found)) => found,
        Some(Lookup::Ignored) => return,
        None => {
            count(Counter::ReadFailed);
            warn!(context, "accept of fd {} lost: {}", fd, Lost::ReadFailed.reason());
            return;
        }
    };
    scope::add_socket(cookie);
    let stack = stack::of_system_call(context, pid);
    let outcome = emit(EventKind::Accept, cookie, |record| {
        record.stack = stack;
        record.fd = fd.cast_signed();
        record.new_state = sock.state()?;
        sock.fill_endpoints(record)?;
        task.fill(pid, record)
    });
    match outcome {
        Ok(()) => debug!(context, "socket {:x}: accepted by process {} as fd {}", cookie, pid, fd),
        Err(lost) => warn!(context, "accept of fd {} lost: {}", fd, lost.reason()),
    }
}

/// The result of a lookup in which no read failed.
enum Lookup<T> {
    Found(T),
    /// The file descriptor is closed or does not refer to a TCP socket with a cookie, or its
    /// process is out of scope.
    Ignored,
}

/// The TCP socket of the file descriptor, its cookie, and the process id; `None` if a read failed.
#[inline(always)]
fn accepted(task: &Task<DirectOrProbed>, fd: u32) -> Option<Lookup<(Sock<Probed>, u64, u32)>> {
    let pid = task.visible_pid()?;
    if !scope::includes_process(pid) {
        return Some(Lookup::Ignored);
    }
    let Lookup::Found(sock) = socket_of(task, fd)? else { return Some(Lookup::Ignored) };
    if !sock.is_tcp()? {
        return Some(Lookup::Ignored);
    }
    // A program that reads the socket by `Probed` cannot assign a cookie. The program for the state
    // change to ESTABLISHED has assigned one, unless that change happened before its hook was
    // attached, or the connection was accepted before it was established (TCP Fast Open). In these
    // cases nothing is lost: the file descriptor is already in the table, so the next snapshot
    // reports it with its owner.
    let cookie = identity::without_cookie_helper(&sock)?;
    if cookie == 0 {
        return Some(Lookup::Ignored);
    }
    Some(Lookup::Found((sock, cookie, pid)))
}

/// The socket of the task's file descriptor: `current->files->fdt->fd[fd]->private_data->sk`.
/// Another thread may already have closed the file descriptor and opened another file under the
/// same number.
#[inline(always)]
fn socket_of(task: &Task<DirectOrProbed>, fd: u32) -> Option<Lookup<Sock<Probed>>> {
    let files: *const u8 = task.field(offset!(task_files))?;
    // SAFETY: `files` and `table` are pointer fields of a structure that `DirectOrProbed` can read.
    // From the array of files on, the verifier knows no types; `Probed` accepts any address.
    unsafe {
        let table: *const u8 = DirectOrProbed::read(files, offset!(files_table))?;
        let size: u32 = DirectOrProbed::read(table, offset!(table_size))?;
        if fd >= size {
            return Some(Lookup::Ignored);
        }
        let array: *const u8 = DirectOrProbed::read(table, offset!(table_files))?;
        let file: *const u8 = Probed::read(array, fd as usize * size_of::<*const u8>())?;
        if file.is_null() {
            return Some(Lookup::Ignored);
        }
        let socket: *const u8 = Probed::read(file, offset!(file_private))?;
        // Only a `struct socket` points back to its file. For other kinds of files, `private_data`
        // may be any value, so a failed read also means that this is not a socket.
        if Probed::read(socket, offset!(socket_file)) != Some(file) {
            return Some(Lookup::Ignored);
        }
        let sock: *const u8 = Probed::read(socket, offset!(socket_sock))?;
        if sock.is_null() {
            return Some(Lookup::Ignored);
        }
        Some(Lookup::Found(Sock::new(sock)))
    }
}
