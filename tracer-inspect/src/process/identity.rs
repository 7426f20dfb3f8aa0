//! Which process a pid is: one that ended may have given its pid to another.

use tracer_core::ProcessKey;

use super::stat::{has_ended, look_up};

/// Clock ticks a second in `/proc/PID/stat`: `USER_HZ`, 100 on every architecture of Linux that
/// has eBPF.
pub const TICK_NS: u64 = 10_000_000;

/// When a process started, in clock ticks since boot; `None` if it has ended. One whose main
/// thread has exited runs as long as another thread does.
pub fn started(pid: u32) -> Option<u64> {
    let (process, stat) = look_up(pid).ok()?;
    (!has_ended(&process, &stat)).then_some(stat.starttime)
}

/// The process runs, and its pid has not become another one's.
pub fn is_running(process: ProcessKey) -> bool {
    started(process.pid) == Some(process.start_time_ns / TICK_NS)
}
