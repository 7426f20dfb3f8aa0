//! The entries of processes with records: facts that user space would otherwise read from `/proc`
//! for each snapshot.

use tracer_common::{COMM_LENGTH, TableProgress};

use crate::{
    globals::offset,
    maps::PROCESSES,
    read::{Probed, Read},
    task::Task,
};

/// The process whose file table is visited.
pub(super) struct Process {
    pub(super) pid: u32,
    pub(super) start_time_ns: u64,
    pub(super) comm: [u8; COMM_LENGTH],
    /// A hash of the start time and the name of the process.
    pub(super) contents: u64,
}

/// Writes the entry of a process once there is a record of it, and updates the number of its file
/// descriptors.
///
/// # Safety
/// `progress` must point to the value of the map.
#[inline(always)]
pub(super) unsafe fn note(
    leader: &Task<Probed>,
    progress: *mut TableProgress,
    process: &Process,
    has_records: bool,
) -> Option<()> {
    // SAFETY: the caller guarantees it; the other pointers are to values of maps, or addresses, any
    // of which `Probed` accepts.
    unsafe {
        let open_fds = (&raw const (*progress).open_fds).read_volatile();
        let known = (&raw const (*progress).process).read_volatile();
        if known != 0 {
            let entry = PROCESSES.get_ptr_mut(known - 1)?;
            (&raw mut (*entry).open_fds).write_volatile(open_fds);
            return Some(());
        }
        if !has_records {
            return None;
        }
        let number = (&raw const (*progress).processes).read_volatile();
        let entry = PROCESSES.get_ptr_mut(number)?;
        let signal: *const u8 = leader.field(offset!(task_signal))?;
        (*entry).start_time_ns = process.start_time_ns;
        (*entry).exec_number = leader.field(offset!(task_exec_number))?;
        (*entry).credentials = leader.address(offset!(task_credentials))?;
        (*entry).cgroups = leader.address(offset!(task_cgroups))?;
        (*entry).fd_limit = Probed::read(signal, offset!(signal_fd_limit))?;
        (*entry).job_control = leader.field(offset!(task_job_control))?;
        (*entry).state = leader.field(offset!(task_state))?;
        (*entry).flags = leader.field(offset!(task_flags))?;
        (*entry).pid = process.pid;
        (*entry).open_fds = open_fds;
        (&raw mut (*progress).processes).write_volatile(number + 1);
        (&raw mut (*progress).process).write_volatile(number + 1);
    }
    Some(())
}
