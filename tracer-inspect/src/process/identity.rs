//! Identity of a process: its pid and its start time, because pids are reused.

use tracer_core::ProcessKey;

use super::stat::{has_ended, is_dead, look_up, main_thread};

/// Length of a clock tick in `/proc/PID/stat`, in nanoseconds: `USER_HZ` is 100 on every
/// architecture that has eBPF.
pub const TICK_NS: u64 = 10_000_000;

/// The user `nobody`, as whom processes may run that have nothing to do with each other.
pub(crate) const NOBODY: u32 = 65_534;

/// Start time of a process in clock ticks since boot (`starttime` in `/proc/PID/stat`); `None` if
/// it has ended. A process whose main thread has exited is still running as long as another thread
/// is.
pub fn started(pid: u32) -> Option<u64> {
    let stat = main_thread(pid).ok()?;
    if !is_dead(&stat) {
        return Some(stat.starttime);
    }
    // Another thread may still be running.
    let (process, stat) = look_up(pid).ok()?;
    (!has_ended(&process, &stat)).then_some(stat.starttime)
}

/// Whether the process is running and its pid has not been reused.
pub fn is_running(process: ProcessKey) -> bool {
    started(process.pid) == Some(process.start_time_ns / TICK_NS)
}
