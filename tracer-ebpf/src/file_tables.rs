//! `iter/task`: the same file descriptors as `iter/task_file`, read from the file tables without
//! taking a reference to each file.

use core::ffi::c_void;

use aya_ebpf::helpers::{
    bpf_jiffies64, bpf_ktime_get_ns, generated::bpf_probe_read_kernel,
};
use tracer_common::{
    BLOCKS_MAX, CHUNK_FDS, CHUNK_WORDS, Chunk, FAMILY_INET, FAMILY_INET6, Progress, RAW_RECORDS, RawRecord,
};

use crate::{
    globals::{block, offset},
    maps::{CHUNK, PROGRESS, RECORDS},
    read::{Direct, Probed, Read},
    sock::TYPE_STREAM,
    task::Task,
    task_file::Selection,
};

/// Result of an iterator program: the kernel calls it again for the same task, after the read has
/// returned `EAGAIN` to user space.
const AGAIN: i32 = 1;
/// The kernel continues with the next task.
const NEXT: i32 = 0;

/// `struct bpf_iter__task`.
#[repr(C)]
pub(crate) struct Context {
    meta: *const u8,
    task: *const u8,
}

/// Notes `socket_file_ops`.
#[inline(always)]
pub(crate) fn learn(operations: u64) {
    if let Some(chunk) = CHUNK.get_ptr_mut(0) {
        // SAFETY: the pointer is to the value of a map.
        unsafe { (&raw mut (*chunk).socket_operations).write_volatile(operations) }
    }
}

#[inline(always)]
pub(crate) fn visit(context: &Context, selection: Selection) -> i32 {
    // SAFETY: derived from a reference to the context.
    let task = unsafe { (&raw const context.task).read_volatile() };
    if task.is_null() {
        return NEXT;
    }
    // SAFETY: the verifier knows the type of the context's task.
    let task = unsafe { Task::<Direct>::new(task) };
    let (Some(progress), Some(chunk)) = (PROGRESS.get_ptr_mut(0), CHUNK.get_ptr_mut(0)) else {
        return NEXT;
    };
    visit_task(&task, progress, chunk, selection).unwrap_or(NEXT)
}

struct Process {
    pid: u32,
    start_time_ns: u64,
    comm: [u8; 16],
}

#[inline(always)]
fn visit_task(
    task: &Task<Direct>,
    progress: *mut Progress,
    chunk: *mut Chunk,
    _selection: Selection,
) -> Option<i32> {
    let files: *const u8 = task.field(offset!(task_files))?;
    if files.is_null() {
        return None;
    }
    let leader = task.group_leader()?;
    let number: u32 = task.field(offset!(task_pid))?;
    let leader_number: u32 = leader.field(offset!(task_pid))?;
    if number != leader_number && leader.field::<*const u8>(offset!(task_files))? == files {
        return None;
    }
    // SAFETY: pointer fields of structures that `Direct` can read.
    let (size, array): (u32, *const u8) = unsafe {
        let table: *const u8 = Direct::read(files, offset!(files_table))?;
        (Direct::read(table, offset!(table_size))?, Direct::read(table, offset!(table_files))?)
    };
    // SAFETY: `progress` is the value of a map.
    let first = unsafe {
        if (&raw const (*progress).task).read_volatile() == number {
            (&raw const (*progress).fd).read_volatile()
        } else {
            0
        }
    };
    if first >= size {
        return None;
    }
    let open: *const u8 = unsafe {
        let table: *const u8 = Direct::read(files, offset!(files_table))?;
        Direct::read(table, offset!(table_open))?
    };
    // SAFETY: `progress` and `chunk` are the values of maps.
    unsafe {
        let records = &raw mut (*progress).records;
        (&raw mut (*progress).task).write_volatile(number);
        if records.read_volatile() > RAW_RECORDS - CHUNK_FDS as u32 {
            (&raw mut (*progress).fd).write_volatile(first);
            return Some(AGAIN);
        }
        let words = size / CHUNK_FDS as u32;
        let word = first / CHUNK_FDS as u32;
        let group = word & !(CHUNK_WORDS as u32 - 1);
        let begin = word & (CHUNK_WORDS as u32 - 1);
        let count = (words - group).min(CHUNK_WORDS as u32);
        if count == 0 || bpf_probe_read_kernel(
            (&raw mut (*chunk).open).cast::<c_void>(),
            count * size_of::<u64>() as u32,
            open.wrapping_add(group as usize * size_of::<u64>()).cast::<c_void>(),
        ) != 0 {
            return None;
        }
        find_open(chunk, begin, count);
        let [found, second] = (&raw const (*chunk).found).read_volatile();
        // The first file descriptor of the next run.
        let next = if second != NONE { group + second as u32 } else { group + CHUNK_WORDS as u32 };
        (&raw mut (*progress).fd).write_volatile(next * CHUNK_FDS as u32);
        let result = if next < words { AGAIN } else { NEXT };
        if found == NONE {
            return Some(result);
        }
        let pid = task.visible_pid()?;
        if pid == 0 {
            return None;
        }
        let mut process = Process { pid, start_time_ns: task.start_time_ns()?, comm: [0; 16] };
        task.copy_comm(&mut process.comm)?;
        let first = (group + found as u32) * CHUNK_FDS as u32;
        let entries = array.wrapping_add(first as usize * size_of::<u64>());
        if bpf_probe_read_kernel(
            (&raw mut (*chunk).files).cast::<c_void>(),
            (CHUNK_FDS * size_of::<u64>()) as u32,
            entries.cast::<c_void>(),
        ) != 0 {
            return None;
        }
        find_sockets(chunk);
        find_socks(chunk);
        write_records(chunk, records, entries, first, &process);
        Some(result)
    }
}

/// No word.
const NONE: u64 = u64::MAX;

#[inline(always)]
unsafe fn find_open(chunk: *mut Chunk, begin: u32, count: u32) {
    unsafe {
        (&raw mut (*chunk).found).write_volatile([NONE; 2]);
        for index in 0..CHUNK_WORDS {
            if index as u32 >= count {
                break;
            }
            if (index as u32) < begin || (&raw const (*chunk).open[index]).read_volatile() == 0 {
                continue;
            }
            if (&raw const (*chunk).found[0]).read_volatile() == NONE {
                (&raw mut (*chunk).found[0]).write_volatile(index as u64);
            } else {
                (&raw mut (*chunk).found[1]).write_volatile(index as u64);
                break;
            }
        }
    }
}

#[inline(always)]
unsafe fn find_sockets(chunk: *mut Chunk) {
    unsafe {
        let operations = (&raw const (*chunk).socket_operations).read_volatile();
        for index in 0..CHUNK_FDS {
            let file = (&raw const (*chunk).files[index]).read_volatile();
            let mut socket = 0;
            if file != 0 {
                let file = file as *const u8;
                if Probed::read::<u64>(file, offset!(file_operations)) == Some(operations) {
                    socket = Probed::read::<u64>(file, offset!(file_private)).unwrap_or(0);
                }
            }
            (&raw mut (*chunk).sockets[index]).write_volatile(socket);
        }
    }
}

#[inline(always)]
unsafe fn find_socks(chunk: *mut Chunk) {
    unsafe {
        for index in 0..CHUNK_FDS {
            let socket = (&raw const (*chunk).sockets[index]).read_volatile();
            let mut found = 0;
            if socket != 0 {
                let sock: u64 =
                    Probed::read(socket as *const u8, offset!(socket_sock)).unwrap_or(0);
                if sock != 0 {
                    let base = sock as *const u8;
                    let family: u16 = Probed::read(base, offset!(sock_family)).unwrap_or(0);
                    let kind: u16 = Probed::read(base, offset!(sock_type)).unwrap_or(0);
                    if matches!(family, FAMILY_INET | FAMILY_INET6) && kind == TYPE_STREAM {
                        found = sock;
                    }
                }
            }
            (&raw mut (*chunk).socks[index]).write_volatile(found);
        }
    }
}

#[inline(always)]
unsafe fn write_records(
    chunk: *mut Chunk,
    records: *mut u32,
    entries: *const u8,
    first: u32,
    process: &Process,
) {
    unsafe {
        for index in 0..CHUNK_FDS {
            let sock = (&raw const (*chunk).socks[index]).read_volatile();
            if sock == 0 {
                continue;
            }
            let count = records.read_volatile();
            let Some(record) = RECORDS.get_ptr_mut(count) else { continue };
            let file = (&raw const (*chunk).files[index]).read_volatile();
            let socket = (&raw const (*chunk).sockets[index]).read_volatile();
            let fd = first + index as u32;
            let entry = entries.wrapping_add(index * size_of::<u64>());
            if write_record(record, sock, socket, file, entry, fd, process).is_some() {
                records.write_volatile(count + 1);
            }
        }
    }
}

#[inline(always)]
unsafe fn write_record(
    record: *mut RawRecord,
    sock: u64,
    socket: u64,
    file: u64,
    entry: *const u8,
    fd: u32,
    process: &Process,
) -> Option<()> {
    unsafe {
        for number in 0..BLOCKS_MAX {
            let block = block(number);
            if block.length == 0 {
                break;
            }
            let target = (&raw mut (*record).bytes).cast::<u8>().add(block.position as usize);
            let source = (sock as *const u8).wrapping_add(block.offset as usize);
            if bpf_probe_read_kernel(target.cast(), block.length, source.cast()) != 0 {
                return None;
            }
        }
        let net: *const u8 = Probed::read(sock as *const u8, offset!(sock_net))?;
        (*record).netns = Probed::read(net, offset!(net_inode))?;
        let inode: *const u8 = Probed::read(file as *const u8, offset!(file_inode))?;
        (*record).inode = Probed::read(inode, offset!(inode_number))?;
        (*record).pid = process.pid;
        (*record).fd = fd;
        (*record).start_time_ns = process.start_time_ns;
        (*record).comm = process.comm;
        (*record).at_ns = bpf_ktime_get_ns();
        (*record).jiffies = bpf_jiffies64();
        let owner: u64 = Probed::read(socket as *const u8, offset!(socket_file))?;
        let now: u64 = Probed::read(entry, 0)?;
        (owner == file && now == file).then_some(())
    }
}
