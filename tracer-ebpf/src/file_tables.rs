//! `iter/task`: the same file descriptors as `iter/task_file`, read from the file tables.
//!
//! `iter/task_file` takes and drops a reference to each file, which costs as much as the rest, and
//! reads one socket after the other, mostly waiting for memory. Here, no reference is taken, and
//! each step is done for many file descriptors before the next one, so that the cache misses of
//! several sockets overlap.
//!
//! # Why this is safe
//! The programs run in an RCU read-side critical section, in which file tables, files, `struct
//! socket` and TCP sockets are not reused for objects of another type. Without a reference, they may
//! be closed meanwhile and reused for others of the same type. So after a socket was read, the file
//! descriptor must still refer to the same file, and that file to the same `struct socket`. Nothing
//! is written to a kernel structure: sockets without a cookie are reported with cookie 0, and
//! `iter/task_file` assigns one.
//!
//! All reads are by `bpf_probe_read_kernel`, which fails on a bad address. Plain loads would also
//! make the program slow to load: the verifier takes several milliseconds for each load of a pointer
//! from a task, because it searches the kernel's type information for the rules of that field.
#![expect(
    clippy::cast_possible_truncation,
    reason = "pointers have 64 bits in BPF programs, and constants and indices are small"
)]

mod process;
mod record;
mod seen;

use core::ffi::c_void;

use aya_ebpf::helpers::generated::bpf_loop;
use tracer_common::{
    CHUNK_FDS, CHUNK_WORDS, COMM_LENGTH, RAW_RECORDS_MAX, TableChunk, TableProgress,
};

use self::{
    process::Process,
    record::{Part, Writing, write_next, write_next_in_scope},
};
use crate::{
    globals::offset,
    iterator::Meta,
    maps::{CHUNK, PROGRESS},
    read::{Probed, Read, copy},
    scope::Selection,
    shared_tables,
    sock::Sock,
    task::Task,
};

/// Result of an iterator program: the kernel calls it again for the same task. The read returns
/// `EAGAIN` to user space.
const AGAIN: i32 = 1;
/// Result of an iterator program: the kernel goes on to the next task.
const NEXT: i32 = 0;

/// Result of a function that `bpf_loop` calls.
const CONTINUE: i64 = 0;
const END: i64 = 1;

/// See [`TableChunk::occupied`].
const NONE: u64 = u64::MAX;

const FDS: u32 = CHUNK_FDS as u32;
const WORDS: u32 = CHUNK_WORDS as u32;
const WORD_BYTES: u32 = size_of::<u64>() as u32;

/// `struct bpf_iter__task`.
#[repr(C)]
pub(crate) struct Context {
    meta: *const Meta,
    task: *const u8,
}

/// Records the address of `socket_file_ops`: the operations of a file that is a socket.
#[inline(always)]
pub(crate) fn note_socket_operations(address: u64) {
    if let Some(chunk) = CHUNK.get_ptr_mut(0) {
        // SAFETY: the pointer is to the value of a map.
        unsafe { (&raw mut (*chunk).socket_operations).write_volatile(address) }
    }
}

/// Writes the records of the next file descriptors of the task. Returns what the kernel does next.
#[inline(always)]
pub(crate) fn visit(context: &Context, selection: Selection) -> i32 {
    // Volatile for the same reason as in `task_file`.
    // SAFETY: the pointer is derived from a reference to the context.
    let task = unsafe { (&raw const context.task).read_volatile() };
    let (Some(progress), Some(chunk)) = (PROGRESS.get_ptr_mut(0), CHUNK.get_ptr_mut(0)) else {
        return NEXT;
    };
    if task.is_null() {
        return NEXT;
    }
    // SAFETY: the pointer is from the context.
    let session = unsafe { (*context.meta).session };
    // SAFETY: `Probed` accepts any address.
    let task = unsafe { Task::<Probed>::new(task) };
    // SAFETY: the pointers are to values of maps, and only this program, which does not run
    // concurrently with itself, uses them while it runs.
    unsafe { visit_task(&task, session, progress, chunk, selection) }.unwrap_or(NEXT)
}

/// Visits the next file descriptors of a task. `None` if none remain, or a read failed because the
/// task is exiting.
///
/// # Safety
/// The pointers must point to values of maps that nothing else accesses.
#[inline(always)]
unsafe fn visit_task(
    task: &Task<Probed>,
    session: u64,
    progress: *mut TableProgress,
    chunk: *mut TableChunk,
    selection: Selection,
) -> Option<i32> {
    let files: *const u8 = task.field(offset!(task_files))?;
    // Threads usually share the table of the first thread. `iter/task_file` skips the same ones.
    let leader = task.group_leader()?;
    let number: u32 = task.field(offset!(task_pid))?;
    let is_leader = leader.field::<u32>(offset!(task_pid))? == number;
    if files.is_null() || (!is_leader && leader.field::<*const u8>(offset!(task_files))? == files) {
        return None;
    }
    if !is_leader && shared_tables::is_repeated(task, number, session)? {
        return None;
    }
    // SAFETY: `Probed` accepts any address.
    let (size, entries, open): (u32, *const u8, *const u8) = unsafe {
        let table: *const u8 = Probed::read(files, offset!(files_table))?;
        (
            Probed::read(table, offset!(table_size))?,
            Probed::read(table, offset!(table_files))?,
            Probed::read(table, offset!(table_open))?,
        )
    };
    // SAFETY: the caller guarantees that the pointers are to values of maps. The addresses of the
    // kernel are read by `Probed` or `copy`, which accept any.
    unsafe {
        let is_same = (&raw const (*progress).task).read_volatile() == number;
        let first_fd = if is_same { (&raw const (*progress).fd).read_volatile() } else { 0 };
        if !is_same {
            (&raw mut (*progress).task).write_volatile(number);
            (&raw mut (*progress).fd).write_volatile(0);
            (&raw mut (*progress).open_fds).write_volatile(0);
            (&raw mut (*progress).process).write_volatile(0);
        }
        if first_fd >= size {
            return None;
        }
        if (&raw const (*progress).records).read_volatile() > RAW_RECORDS_MAX - FDS {
            return Some(AGAIN);
        }

        let (words, word) = (size / FDS, first_fd / FDS);
        let (group, begin) = (word & !(WORDS - 1), word & (WORDS - 1));
        let count = words.wrapping_sub(group).min(WORDS);
        let source = open.wrapping_add(group as usize * WORD_BYTES as usize);
        if count == 0 || !copy(&raw mut (*chunk).open, count * WORD_BYTES, source) {
            return None;
        }
        (&raw mut (*chunk).occupied).write_volatile([NONE; 2]);
        each(count, find_occupied, &begin);
        let [occupied, next] = (&raw const (*chunk).occupied).read_volatile();
        let next = group + if next == NONE { WORDS } else { next as u32 };
        (&raw mut (*progress).fd).write_volatile(next * FDS);
        let result = Some(if next < words { AGAIN } else { NEXT });
        if occupied == NONE {
            return result;
        }
        // Those after the last open file descriptor of the word need no visit.
        let place = occupied as usize & (CHUNK_WORDS - 1);
        let open = (&raw const (*chunk).open[place]).read_volatile();
        let fds = u64::BITS - open.leading_zeros();
        let open_fds = (&raw const (*progress).open_fds).read_volatile() + open.count_ones();
        (&raw mut (*progress).open_fds).write_volatile(open_fds);

        let pid = task.visible_pid()?;
        if pid == 0 {
            // The iterator only visits tasks that are visible in the namespace: this one is exiting.
            return None;
        }
        let mut process = Process {
            pid,
            start_time_ns: task.start_time_ns()?,
            comm: [0; COMM_LENGTH],
            contents: 0,
        };
        task.copy_comm(&mut process.comm)?;
        process.contents = seen::of_process(process.start_time_ns, process.comm);
        let first_fd = (group + occupied as u32) * FDS;
        let entries = entries.wrapping_add(first_fd as usize * WORD_BYTES as usize);
        if !copy(&raw mut (*chunk).files, FDS * WORD_BYTES, entries)
            || task.field::<*const u8>(offset!(task_files))? != files
        {
            // The table may have been freed before it was copied.
            return None;
        }
        each(fds, find_socket, &begin);
        let first_place = u64::from(number) << 32 | u64::from(first_fd);
        each(fds, find_sock, &first_place);
        let writing = Writing { part: Part { entries, first_fd, first_place }, process };
        let write: extern "C" fn(u32, *const Writing) -> i64 = match selection {
            Selection::All => write_next,
            Selection::InScope => write_next_in_scope,
        };
        (&raw mut (*chunk).net).write_volatile(0);
        let before = (&raw const (*progress).records).read_volatile();
        each(fds, write, &writing);
        if is_leader {
            let has_records = (&raw const (*progress).records).read_volatile() != before;
            // Without the entry, user space asks for what is in it.
            let _ = process::note(task, progress, &writing.process, has_records);
        }
        result
    }
}

// Each of the following functions is called by `bpf_loop` for each index. The verifier checks such a
// function once, but the body of a loop for each iteration: 90ms for this program. They get the
// chunk from the map, because the verifier does not know the type of what they are passed, unless
// it is the stack.

/// Records the first two nonzero words of the bit set of open file descriptors, then ends the loop.
extern "C" fn find_occupied(index: u32, begin: *const u32) -> i64 {
    let Some(chunk) = CHUNK.get_ptr_mut(0) else { return END };
    let place = index & (WORDS - 1);
    // SAFETY: the pointer is to the value of a map, and `bpf_loop` passes on a pointer that it got.
    unsafe {
        let word = (&raw const (*chunk).open[place as usize]).read_volatile();
        if index < begin.read() || word == 0 {
            return CONTINUE;
        }
        if (&raw const (*chunk).occupied[0]).read_volatile() != NONE {
            (&raw mut (*chunk).occupied[1]).write_volatile(u64::from(index));
            return END;
        }
        (&raw mut (*chunk).occupied[0]).write_volatile(u64::from(index));
    }
    CONTINUE
}

/// Determines the `struct socket` of a file.
extern "C" fn find_socket(index: u32, _: *const u32) -> i64 {
    let Some(chunk) = CHUNK.get_ptr_mut(0) else { return END };
    let place = (index & (FDS - 1)) as usize;
    // SAFETY: the pointer is to the value of a map; `Probed` accepts any address.
    unsafe {
        let file = (&raw const (*chunk).files[place]).read_volatile();
        let mut socket = 0;
        if file != 0 {
            let operations = (&raw const (*chunk).socket_operations).read_volatile();
            let file = core::ptr::with_exposed_provenance(file as usize);
            if Probed::read::<u64>(file, offset!(file_operations)) == Some(operations) {
                socket = Probed::read(file, offset!(file_private)).unwrap_or(0);
            }
        }
        (&raw mut (*chunk).sockets[place]).write_volatile(socket);
    }
    CONTINUE
}

/// Determines the `struct sock` of a socket, if it is a stream socket of IPv4 or IPv6. A socket of
/// which the previous pass has written a record is one.
extern "C" fn find_sock(index: u32, first_place: *const u64) -> i64 {
    let (Some(progress), Some(chunk)) = (PROGRESS.get_ptr_mut(0), CHUNK.get_ptr_mut(0)) else {
        return END;
    };
    let place = (index & (FDS - 1)) as usize;
    // SAFETY: the pointers are to values of maps, and `bpf_loop` passes on the pointer that it got.
    unsafe {
        let socket = (&raw const (*chunk).sockets[place]).read_volatile();
        let (mut found, mut previous) = (0, 0);
        if socket != 0 {
            let socket = core::ptr::with_exposed_provenance(socket as usize);
            found = Probed::read(socket, offset!(socket_sock)).unwrap_or(0);
            previous = seen::previous(progress, first_place.read() + u64::from(index), found);
            let pointer = core::ptr::with_exposed_provenance(found as usize);
            if previous == 0 && Sock::<Probed>::new(pointer).is_inet_stream() != Some(true) {
                found = 0;
            }
        }
        (&raw mut (*chunk).socks[place]).write_volatile(found);
        (&raw mut (*chunk).previous[place]).write_volatile(previous);
    }
    CONTINUE
}

/// Calls a function for each index up to `count`.
#[inline(always)]
fn each<C>(count: u32, function: extern "C" fn(u32, *const C) -> i64, context: &C) {
    let context = (&raw const *context).cast_mut().cast();
    // SAFETY: the function has the signature that the helper requires, and gets the context.
    unsafe { bpf_loop(count, function as *mut c_void, context, 0) };
}
