//! `iter/task_file`: every descriptor that refers to a TCP socket, with its owner.
//!
//! The kernel calls the program once for every open file of every process that the reader's pid
//! namespace sees, and again for the same file when its buffer was full: nothing may be counted
//! here.

use core::{ffi::c_void, marker::PhantomData, mem::MaybeUninit};

use aya_ebpf::{
    bindings::{file, seq_file},
    helpers::{bpf_jiffies64, bpf_ktime_get_ns, bpf_seq_write, bpf_sock_from_file},
};
use tracer_common::{FAMILY_INET, FAMILY_INET6, SocketRecord};

use crate::{
    globals::offset,
    identity,
    read::{Direct, Probed, Read},
    scope,
    sock::{PROTOCOL_TCP, ReadSock, STATE_LISTEN, Sock, TYPE_STREAM},
    task::Task,
    zeroed::zeroed,
};

#[expect(clippy::cast_possible_truncation, reason = "it has 208")]
const RECORD_BYTES: u32 = size_of::<SocketRecord>() as u32;

/// `S_IFMT` of `include/uapi/linux/stat.h`: the part of a mode that is the kind of file.
const TYPE_OF_FILE: u16 = 0o170_000;
/// `S_IFSOCK`.
const SOCKET: u16 = 0o140_000;

/// `struct bpf_iter_meta`.
#[repr(C)]
struct Meta {
    seq: *mut seq_file,
    session: u64,
    sequence: u64,
}

/// `struct bpf_iter__task_file`. This is the programs' interface to the kernel, not a structure of
/// its own: the layout is fixed, and the verifier translates.
#[repr(C)]
pub(crate) struct Context {
    meta: *const Meta,
    task: *const u8,
    fd: u32,
    padding: u32,
    file: *mut file,
}

/// Which files a walk is about.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    All,
    /// Those of processes in scope, and those of others that refer to a socket in scope or to one
    /// that listens.
    InScope,
}

/// Writes a record if the file is a socket of ours.
#[inline(always)]
pub(crate) fn visit(context: &Context, wanted: Wanted) {
    visit_with(context, wanted, |file| {
        // SAFETY: the helper takes a file and gives null for one that is no socket; the verifier
        // knows the type of what it returns.
        unsafe { Socket::<Direct>::new(bpf_sock_from_file(file).cast_const().cast()) }
    });
}

/// The same where the helper is missing.
#[inline(always)]
pub(crate) fn visit_without_helper(context: &Context, wanted: Wanted) {
    visit_with(context, wanted, |file| {
        let file = file.cast_const().cast();
        // SAFETY: the verifier knows the type of the context's file, and of its inode.
        let (mode, socket): (u16, *const u8) = unsafe {
            let inode = Direct::read(file, offset!(file_inode))?;
            (Direct::read(inode, offset!(inode_mode))?, Direct::read(file, offset!(file_private))?)
        };
        if mode & TYPE_OF_FILE != SOCKET {
            return None;
        }
        // SAFETY: `Probed` reads anything.
        let socket = unsafe { Socket::<Probed>::new(socket) }?;
        // A file that was opened with O_PATH has a socket's inode and no socket, which points back.
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
    /// `pointer` must be null or what `R` can read.
    #[inline(always)]
    unsafe fn new(pointer: *const u8) -> Option<Self> {
        (!pointer.is_null()).then_some(Self { pointer, read: PhantomData })
    }

    #[inline(always)]
    fn file(&self) -> Option<*const u8> {
        // SAFETY: `new` requires that `R` can read it.
        unsafe { R::read(self.pointer, offset!(socket_file)) }
    }

    #[inline(always)]
    fn sock(&self) -> Option<Sock<R>> {
        // SAFETY: `new` requires that `R` can read it.
        let sock: *const u8 = unsafe { R::read(self.pointer, offset!(socket_sock)) }?;
        // SAFETY: a pointer field of what `R` can read.
        (!sock.is_null()).then(|| unsafe { Sock::new(sock) })
    }
}

#[inline(always)]
fn visit_with<R: ReadSock>(
    context: &Context,
    wanted: Wanted,
    socket: impl Fn(*mut file) -> Option<Socket<R>>,
) {
    // Volatile, because the compiler may else read them a second time where it uses them, and the
    // verifier does not take the check of one reading for a check of the other.
    // SAFETY: fields behind a reference.
    let (task, file) = unsafe {
        ((&raw const context.task).read_volatile(), (&raw const context.file).read_volatile())
    };
    if file.is_null() || task.is_null() {
        return;
    }
    let Some(socket) = socket(file) else { return };
    // SAFETY: the verifier knows the type of the context's task.
    let task = unsafe { Task::<Direct>::new(task) };
    let mut place = MaybeUninit::uninit();
    let Some(record) = describe(&task, file, context.fd, &socket, wanted, &mut place) else {
        return;
    };
    // A record that does not fit is not lost: the kernel drops the part and calls again.
    // SAFETY: the verifier checks that the record is initialised and of this size.
    unsafe {
        bpf_seq_write((*context.meta).seq, (&raw const *record).cast::<c_void>(), RECORD_BYTES);
    }
}

/// The record; `None` for a socket of another kind, for one that is not wanted, and for one that
/// cannot be read: it is being taken apart.
#[inline(always)]
fn describe<'a, R: ReadSock>(
    task: &Task<Direct>,
    file: *mut file,
    fd: u32,
    socket: &Socket<R>,
    wanted: Wanted,
    place: &'a mut MaybeUninit<SocketRecord>,
) -> Option<&'a SocketRecord> {
    let sock = socket.sock()?;
    let family = sock.family()?;
    if !matches!(family, FAMILY_INET | FAMILY_INET6) || sock.kind()? != TYPE_STREAM {
        return None;
    }
    let pid = task.visible_pid()?;
    if pid == 0 {
        // The walk shows what the namespace sees, so this process is just exiting.
        return None;
    }
    if wanted == Wanted::InScope && !is_in_scope(pid, &sock)? {
        return None;
    }

    // SAFETY: zeros are a valid record.
    let record = unsafe { zeroed(place) };
    record.family = family;
    record.socket_type = TYPE_STREAM;
    record.protocol = sock.protocol()?;
    if record.protocol == PROTOCOL_TCP {
        // Of MPTCP, SMC and SCTP sockets the fields of a `tcp_sock` would be something else.
        sock.as_tcp()?.fill_tcp(record)?;
    } else {
        record.local_port = sock.local_port()?;
    }
    sock.fill_common(record)?;

    record.pid = pid;
    record.start_time_ns = task.start_time_ns()?;
    task.copy_comm(&mut record.comm)?;
    record.fd = fd;
    // SAFETY: the verifier knows the type of the context's file, and of its inode.
    record.inode = unsafe {
        let inode = Direct::read(file.cast_const().cast(), offset!(file_inode))?;
        Direct::read(inode, offset!(inode_number))?
    };
    record.cookie = identity::of_file(&sock, record.inode);
    // SAFETY: the helpers have no preconditions.
    (record.at_ns, record.jiffies) = unsafe { (bpf_ktime_get_ns(), bpf_jiffies64()) };
    Some(record)
}

/// Whether the process or the socket is in scope, or the socket listens: who was connected to is
/// guessed from that.
#[inline(always)]
fn is_in_scope<R: ReadSock>(pid: u32, sock: &Sock<R>) -> Option<bool> {
    Some(
        scope::has_process(pid)
            || sock.state()? == STATE_LISTEN
            || scope::has_socket(identity::if_any(sock)?),
    )
}
