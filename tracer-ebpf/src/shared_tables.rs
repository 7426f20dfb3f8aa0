//! File tables that several threads of a process share, but not its main thread: that has exited, or
//! has a table of its own.
//!
//! The kernel's iterators then visit the table once for each of these threads (`task_seq_get_next` in
//! `kernel/bpf/task_iter.c` only skips threads that share the table of the main thread): with 1,000
//! threads and 1,000 sockets, a million times one.

use crate::{globals::offset, maps::SHARED_TABLES, read::Read, task::Task};

/// Whether this pass of the iterator has visited the file table of a thread before, for another
/// thread. `number` is that of the thread, which is not the main thread of its process, and `session`
/// that of the pass. `None` if a read failed.
#[inline(always)]
pub(crate) fn is_repeated<R: Read>(task: &Task<R>, number: u32, session: u64) -> Option<bool> {
    let files = task.address(offset!(task_files))?;
    let visit = [session, u64::from(number)];
    // SAFETY: the programs of an iterator do not run concurrently, so the value does not change.
    match unsafe { SHARED_TABLES.get(files) } {
        Some(known) if known[0] == session => Some(known[1] != visit[1]),
        _ => {
            // If that fails, the table is visited again.
            let _ = SHARED_TABLES.insert(files, visit, 0);
            Some(false)
        }
    }
}
