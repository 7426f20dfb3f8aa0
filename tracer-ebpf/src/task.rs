//! The process that a task belongs to.

use core::marker::PhantomData;

use aya_ebpf::helpers::{
    bpf_get_current_task, bpf_get_current_task_btf, bpf_probe_read_kernel_buf,
};
use tracer_common::{COMM_LENGTH, EventRecord};

use crate::{
    globals::{has_socket_helpers, offset, pid_namespace_inode},
    read::{AnyBits, DirectOrProbed, Probed, Read},
};

/// `MAX_PID_NS_LEVEL` in `include/linux/pid_namespace.h`.
const PID_NAMESPACE_LEVEL_MAX: u32 = 32;

/// A `struct task_struct`, read by `R`.
pub(crate) struct Task<R> {
    pointer: *const u8,
    read: PhantomData<R>,
}

impl Task<DirectOrProbed> {
    /// The current task. It is related to the event only in process context, such as in a system
    /// call, and not in an interrupt.
    #[inline(always)]
    pub(crate) fn current() -> Self {
        // SAFETY: the helpers have no preconditions. With the socket helpers, `DirectOrProbed`
        // reads by plain loads, and the verifier knows the type of the first helper's result;
        // without them it reads by `Probed`, which accepts any address.
        unsafe {
            Self::new(if has_socket_helpers() {
                bpf_get_current_task_btf().cast_const().cast()
            } else {
                bpf_get_current_task() as *const u8
            })
        }
    }
}

impl Task<Probed> {
    /// The current task, for programs that the verifier refuses if they contain both ways to read.
    #[inline(always)]
    pub(crate) fn current() -> Self {
        // SAFETY: the helper has no preconditions; `Probed` accepts any address.
        unsafe { Self::new(bpf_get_current_task() as *const u8) }
    }
}

impl<R: Read> Task<R> {
    /// # Safety
    /// `pointer` must be one that `R` can read.
    #[inline(always)]
    pub(crate) unsafe fn new(pointer: *const u8) -> Self {
        Self { pointer, read: PhantomData }
    }

    #[inline(always)]
    pub(crate) fn field<T: AnyBits>(&self, offset: usize) -> Option<T> {
        // SAFETY: `new` requires a pointer that `R` can read.
        unsafe { R::read(self.pointer, offset) }
    }

    /// The value of a pointer field as a number, which may be passed to user space.
    #[inline(always)]
    pub(crate) fn address(&self, offset: usize) -> Option<u64> {
        // SAFETY: `Probed` accepts any address.
        unsafe { Probed::read(self.pointer, offset) }
    }

    #[inline(always)]
    pub(crate) fn group_leader(&self) -> Option<Self> {
        let leader = self.field(offset!(task_group_leader))?;
        // SAFETY: a pointer field of a structure that `R` can read.
        Some(unsafe { Self::new(leader) })
    }

    /// The process id (thread group) in the tracer's pid namespace; 0 if the process is not visible
    /// there. `None` if a read failed.
    ///
    /// `struct pid` has one number for each pid namespace from the initial one, level 0, to that of
    /// the process. `bpf_get_ns_current_pid_tgid` is not suitable here: it knows only processes of
    /// exactly the given namespace, but a namespace also sees the processes of its descendants.
    #[inline(always)]
    pub(crate) fn visible_pid(&self) -> Option<u32> {
        let signal: *const u8 = self.field(offset!(task_signal))?;
        // SAFETY: pointer fields of structures that `R` can read. The verifier does not accept
        // plain loads at an array index that is known only at run time, so `Probed` does these.
        unsafe {
            let pid: *const u8 = R::read(signal, offset!(signal_tgid))?;
            if pid.is_null() {
                // The process is exiting.
                return Some(0);
            }
            // The usual case: the tracer runs in the initial namespace.
            let first = offset!(pid_numbers);
            let namespace: *const u8 = R::read(pid, first + offset!(upid_namespace))?;
            if R::read::<u32>(namespace, offset!(pid_namespace_inode))? == pid_namespace_inode() {
                return R::read(pid, first + offset!(upid_number));
            }
            let innermost: u32 = R::read(pid, offset!(pid_level))?;
            for level in 1..=PID_NAMESPACE_LEVEL_MAX {
                if level > innermost {
                    break;
                }
                let number =
                    pid.wrapping_add(offset!(pid_numbers) + level as usize * offset!(upid_size));
                let namespace: *const u8 = Probed::read(number, offset!(upid_namespace))?;
                let inode: u32 = Probed::read(namespace, offset!(pid_namespace_inode))?;
                if inode == pid_namespace_inode() {
                    return Probed::read(number, offset!(upid_number));
                }
            }
        }
        Some(0)
    }

    /// Start time of the process (`group_leader->start_boottime`), nanoseconds since boot.
    #[inline(always)]
    pub(crate) fn start_time_ns(&self) -> Option<u64> {
        self.group_leader()?.field(offset!(task_start_time))
    }

    /// Copies the name of the process: the `comm` of its thread group leader.
    #[inline(always)]
    pub(crate) fn copy_comm(&self, comm: &mut [u8; COMM_LENGTH]) -> Option<()> {
        let source = self.group_leader()?.pointer.wrapping_add(offset!(task_comm));
        // SAFETY: the helper accepts any address and fails on one that cannot be read.
        unsafe { bpf_probe_read_kernel_buf(source, comm) }.ok()
    }

    /// Sets process id, start time and name. `pid` is [`visible_pid`](Self::visible_pid).
    #[inline(always)]
    pub(crate) fn fill(&self, pid: u32, record: &mut EventRecord) -> Option<()> {
        record.pid = pid;
        if pid != 0 {
            record.start_time_ns = self.start_time_ns()?;
            self.copy_comm(&mut record.comm)?;
        }
        Some(())
    }
}
