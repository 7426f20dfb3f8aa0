//! `iter/task_file`: every file descriptor that refers to a TCP socket, with its owner.
//!
//! The kernel calls the program for every open file of every process that is visible in the pid
//! namespace in which the iterator was created. It calls again for the same file if the record did
//! not fit into its buffer, so these programs count nothing.

use core::{ffi::c_void, marker::PhantomData, mem::MaybeUninit};

use aya_ebpf::{
    bindings::file,
    helpers::{bpf_jiffies64, bpf_ktime_get_ns, bpf_seq_write, bpf_sock_from_file},
};
use tracer_common::{FAMILY_INET, FAMILY_INET6, PROTOCOL_TCP, SocketRecord, TYPE_STREAM};

use crate::{
    file_tables,
    globals::offset,
    identity,
    iterator::Meta,
    read::{Direct, Probed, Read},
    scope::{self, Selection},
    shared_tables,
    sock::{ReadSock, Sock},
    task::Task,
    zeroed::zeroed,
};

#[expect(clippy::cast_possible_truncation, reason = "a record has 216 bytes")]
const RECORD_BYTES: u32 = size_of::<SocketRecord>() as u32;

/// `S_IFMT` of `include/uapi/linux/stat.h`: the bits of a mode that give the type of the file.
const TYPE_OF_FILE: u16 = 0o170_000;
/// `S_IFSOCK`.
const SOCKET: u16 = 0o140_000;

/// `struct bpf_iter__task_file`. Unlike kernel structures, this is a stable interface to programs:
/// its layout is fixed, and the verifier translates the accesses.
#[repr(C)]
pub(crate) struct Context {
    meta: *const Meta,
    task: *const u8,
    fd: u32,
    padding: u32,
    file: *mut file,
}

/// Writes a record if the file is a selected TCP socket.
#[inline(always)]
pub(crate) fn visit(context: &Context, selection: Selection) {
    visit_with(context, selection, |file| {
        // SAFETY: the verifier checks that the argument is a file, and knows the type of the
        // result, which is null for a file that is not a socket.
        let socket =
            unsafe { Socket::<Direct>::new(bpf_sock_from_file(file).cast_const().cast()) }?;
        // SAFETY: the verifier knows the type of the context's file.
        let operations =
            unsafe { Direct::read(file.cast_const().cast(), offset!(file_operations)) };
        file_tables::note_socket_operations(operations?);
        Some(socket)
    });
}

/// Writes a record if the file is a selected TCP socket, on kernels without `bpf_sock_from_file`.
#[inline(always)]
pub(crate) fn visit_without_helper(context: &Context, selection: Selection) {
    visit_with(context, selection, |file| {
        let file = file.cast_const().cast();
        // SAFETY: the verifier knows the types of the context's file and of its inode.
        let (mode, socket): (u16, *const u8) = unsafe {
            let inode = Direct::read(file, offset!(file_inode))?;
            (Direct::read(inode, offset!(inode_mode))?, Direct::read(file, offset!(file_private))?)
        };
        if mode & TYPE_OF_FILE != SOCKET {
            return None;
        }
        // SAFETY: `Probed` accepts any address.
        let socket = unsafe { Socket::<Probed>::new(socket) }?;
        // A file that was opened with O_PATH has the inode of a socket but does not refer to one.
        // Only a `struct socket` points back to its file.
        (socket.file()? == file).then_some(socket)
    });
}

/// A `struct socket` that `R` can read.
struct Socket<R> {
    pointer: *const u8,
    read: PhantomData<R>,
}

impl<R: ReadSock> Socket<R> {
    /// # Safety
    /// `pointer` must be null or one that `R` can read.
    #[inline(always)]
    unsafe fn new(pointer: *const u8) -> Option<Self> {
        (!pointer.is_null()).then_some(Self { pointer, read: PhantomData })
    }

    #[inline(always)]
    fn file(&self) -> Option<*const u8> {
        // SAFETY: `new` requires a pointer that `R` can read.
        unsafe { R::read(self.pointer, offset!(socket_file)) }
    }

    #[inline(always)]
    fn sock(&self) -> Option<Sock<R>> {
        // SAFETY: `new` requires a pointer that `R` can read.
        let sock: *const u8 = unsafe { R::read(self.pointer, offset!(socket_sock)) }?;
        // SAFETY: a pointer field of a structure that `R` can read.
        (!sock.is_null()).then(|| unsafe { Sock::new(sock) })
    }
}

#[inline(always)]
fn visit_with<R: ReadSock>(
    context: &Context,
    selection: Selection,
    socket: impl Fn(*mut file) -> Option<Socket<R>>,
) {
    // Volatile, because the compiler may otherwise load the fields again where it uses them, and
    // the verifier does not apply the null check of one load to another.
    // SAFETY: the pointers are derived from a reference to the context.
    let (task, file) = unsafe {
        ((&raw const context.task).read_volatile(), (&raw const context.file).read_volatile())
    };
    if file.is_null() || task.is_null() {
        return;
    }
    let Some(socket) = socket(file) else { return };
    // SAFETY: the verifier knows the type of the context's task.
    let task = unsafe { Task::<Direct>::new(task) };
    // SAFETY: the pointer is from the context.
    let session = unsafe { (*context.meta).session };
    if is_repeated(&task, session).unwrap_or(false) {
        return;
    }
    let mut place = MaybeUninit::uninit();
    let Some(record) = describe(&task, file, context.fd, &socket, selection, &mut place) else {
        return;
    };
    // A record that does not fit is not lost: the kernel discards the partial record and calls
    // again.
    // SAFETY: the verifier checks that this many bytes of the record are readable and initialized.
    unsafe {
        bpf_seq_write((*context.meta).seq, (&raw const *record).cast::<c_void>(), RECORD_BYTES);
    }
}

/// Whether the file table of this thread was already visited for another thread.
#[inline(always)]
fn is_repeated(task: &Task<Direct>, session: u64) -> Option<bool> {
    let number: u32 = task.field(offset!(task_pid))?;
    let is_leader = task.group_leader()?.field::<u32>(offset!(task_pid))? == number;
    if is_leader { Some(false) } else { shared_tables::is_repeated(task, number, session) }
}

/// The record of a file descriptor. `None` if the socket is of another kind or is not selected, or
/// if a read failed because the process is exiting or the socket is being destroyed.
#[inline(always)]
fn describe<'a, R: ReadSock>(
    task: &Task<Direct>,
    file: *mut file,
    fd: u32,
    socket: &Socket<R>,
    selection: Selection,
    place: &'a mut MaybeUninit<SocketRecord>,
) -> Option<&'a SocketRecord> {
    let sock = socket.sock()?;
    let family = sock.family()?;
    if !matches!(family, FAMILY_INET | FAMILY_INET6) || sock.socket_type()? != TYPE_STREAM {
        return None;
    }
    let pid = task.visible_pid()?;
    if pid == 0 {
        // The iterator only visits processes that are visible in the namespace: this one is
        // exiting.
        return None;
    }
    if selection == Selection::InScope && !scope::includes(pid, &sock)? {
        return None;
    }

    // SAFETY: zeros are a valid `SocketRecord`, which consists of integers.
    let record = unsafe { zeroed(place) };
    record.family = family;
    record.socket_type = TYPE_STREAM;
    record.protocol = sock.protocol()?;
    if record.protocol == PROTOCOL_TCP {
        // The memory of an MPTCP, SMC or SCTP socket is not a `struct tcp_sock`.
        sock.as_tcp()?.fill_tcp(record)?;
    } else {
        record.local_port = sock.local_port()?;
    }
    sock.fill_common(record)?;

    record.pid = pid;
    record.start_time_ns = task.start_time_ns()?;
    task.copy_comm(&mut record.comm)?;
    record.fd = fd;
    // SAFETY: the verifier knows the types of the context's file and of its inode.
    record.inode = unsafe {
        let inode = Direct::read(file.cast_const().cast(), offset!(file_inode))?;
        Direct::read(inode, offset!(inode_number))?
    };
    record.cookie = identity::get_or_assign_with_inode(&sock, record.inode);
    // SAFETY: the helpers have no preconditions.
    (record.at_ns, record.jiffies) = unsafe { (bpf_ktime_get_ns(), bpf_jiffies64()) };
    Some(record)
}
