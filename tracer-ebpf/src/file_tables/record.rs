//! Writes the records of the sockets that were found.

use aya_ebpf::helpers::{bpf_jiffies64, bpf_ktime_get_ns};
use tracer_common::{BLOCKS_MAX, CHUNK_FDS, PROTOCOL_TCP, RawSocketRecord, SeenSocket, TableChunk};

use super::{CONTINUE, END, FDS, WORD_BYTES, process::Process, seen};
use crate::{
    globals::{block, net_position, offset},
    maps::{CHUNK, PROGRESS, RECORDS},
    read::{Probed, Read, copy},
    scope::{self, Selection},
    sock::Sock,
};

/// Part of a file table.
pub(super) struct Part {
    /// Address of the first entry of the part, and the file descriptor of that entry.
    pub(super) entries: *const u8,
    pub(super) first_fd: u32,
    /// [`SeenSocket::place`] of the first entry of the part.
    pub(super) first_place: u64,
}

/// The arguments of [`write_next`].
pub(super) struct Writing {
    pub(super) part: Part,
    pub(super) process: Process,
}

/// Writes the record of a socket.
pub(super) extern "C" fn write_next(index: u32, writing: *const Writing) -> i64 {
    write_at(index, writing, Selection::All)
}

/// Writes the record of a socket, if the socket is in scope.
pub(super) extern "C" fn write_next_in_scope(index: u32, writing: *const Writing) -> i64 {
    write_at(index, writing, Selection::InScope)
}

#[inline(always)]
fn write_at(index: u32, writing: *const Writing, selection: Selection) -> i64 {
    let (Some(progress), Some(chunk)) = (PROGRESS.get_ptr_mut(0), CHUNK.get_ptr_mut(0)) else {
        return END;
    };
    let index = index & (FDS - 1);
    // SAFETY: the pointers are to values of maps, and `bpf_loop` passes on the pointer that it got.
    unsafe {
        let Writing { part, process } = &*writing;
        let address = (&raw const (*chunk).socks[index as usize]).read_volatile();
        let sock = core::ptr::with_exposed_provenance(address as usize);
        let records = &raw mut (*progress).records;
        let Some(record) = RECORDS.get_ptr_mut(records.read_volatile()) else { return CONTINUE };
        if address == 0 || !is_selected(sock, process, selection) {
            return CONTINUE;
        }
        let previous = (&raw const (*chunk).previous[index as usize]).read_volatile();
        let before = seen::contents_before(progress, previous);
        // What changes after this is different from it in the next pass.
        let mut contents = seen::contents(sock, process.contents);
        let is_same = contents != 0 && before & !seen::IS_COMPLETE == contents;
        if is_same {
            contents |= seen::IS_COMPLETE;
        }
        if is_same && before & seen::IS_COMPLETE != 0 {
            (*record).pid = process.pid;
            (*record).fd = part.first_fd + index;
            (*record).previous = previous as u32;
        } else {
            // The memory may be that of another socket than in the previous pass.
            let sock = Sock::<Probed>::new(sock);
            if sock.is_inet_stream() != Some(true)
                || write_record(record, chunk, index, part, process).is_none()
            {
                return CONTINUE;
            }
            if sock.protocol() != Some(PROTOCOL_TCP) {
                contents = 0;
            }
        }
        let total = &raw mut (*progress).total;
        let number = total.read_volatile();
        let place = part.first_place + u64::from(index);
        seen::note(progress, number, SeenSocket { place, sock: address, contents });
        total.write_volatile(number + 1);
        records.write_volatile(records.read_volatile() + 1);
    }
    CONTINUE
}

/// Whether the socket is selected; false if a read failed.
#[inline(always)]
fn is_selected(sock: *const u8, process: &Process, selection: Selection) -> bool {
    // SAFETY: `Probed` accepts any address.
    let includes = || unsafe { scope::includes(process.pid, &Sock::<Probed>::new(sock)) };
    selection == Selection::All || includes().unwrap_or(false)
}

/// Writes the record of a socket. `None` if the file descriptor no longer refers to it.
///
/// # Safety
/// The pointers must point to values of the maps.
#[inline(always)]
unsafe fn write_record(
    record: *mut RawSocketRecord,
    chunk: *mut TableChunk,
    index: u32,
    part: &Part,
    process: &Process,
) -> Option<()> {
    // SAFETY: the caller guarantees it. The other addresses are read by `Probed` or `copy`, which
    // accept any.
    unsafe {
        let address = |list: *const [u64; CHUNK_FDS]| -> *const u8 {
            let address = (&raw const (*list)[index as usize]).read_volatile();
            core::ptr::with_exposed_provenance(address as usize)
        };
        let (file, socket) =
            (address(&raw const (*chunk).files), address(&raw const (*chunk).sockets));
        let sock = address(&raw const (*chunk).socks);
        for number in 0..BLOCKS_MAX {
            let block = block(number);
            if block.length == 0 {
                break;
            }
            let target = (&raw mut (*record).bytes).cast::<u8>().add(block.position as usize);
            if !copy(target, block.length, sock.wrapping_add(block.offset as usize)) {
                return None;
            }
        }
        #[expect(clippy::cast_ptr_alignment, reason = "`net_position` is a multiple of 8")]
        let net = (&raw const (*record).bytes).cast::<u8>().add(net_position()).cast::<u64>();
        let net = net.read_volatile();
        if net != (&raw const (*chunk).net).read_volatile() {
            let netns: u32 =
                Probed::read(core::ptr::with_exposed_provenance(net as usize), offset!(net_inode))?;
            (&raw mut (*chunk).netns).write_volatile(netns.into());
            (&raw mut (*chunk).net).write_volatile(net);
        }
        let netns = (&raw const (*chunk).netns).read_volatile() as u32;
        (*record).netns = netns;
        (*record).previous = 0;
        let inode: *const u8 = Probed::read(file, offset!(file_inode))?;
        (*record).inode = Probed::read(inode, offset!(inode_number))?;
        (*record).pid = process.pid;
        (*record).fd = part.first_fd + index;
        (*record).start_time_ns = process.start_time_ns;
        (*record).comm = process.comm;
        ((*record).at_ns, (*record).jiffies) = (bpf_ktime_get_ns(), bpf_jiffies64());

        let entry = part.entries.wrapping_add(index as usize * WORD_BYTES as usize);
        let is_unchanged = Probed::read::<*const u8>(entry, 0)? == file
            && Probed::read::<*const u8>(file, offset!(file_private))? == socket
            && Probed::read::<*const u8>(socket, offset!(socket_sock))? == sock;
        is_unchanged.then_some(())
    }
}
