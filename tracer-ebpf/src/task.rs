//! Which process a task belongs to.

use core::marker::PhantomData;

use aya_ebpf::helpers::{
    bpf_get_current_task, bpf_get_current_task_btf, bpf_probe_read_kernel_buf,
};
use tracer_common::{COMM_LENGTH, EventRecord};

use crate::{
    globals::{has_socket_helpers, offset, pid_namespace_inode},
    read::{Helped, Probed, Read},
};

/// `MAX_PID_NS_LEVEL` in `include/linux/pid_namespace.h`.
const PID_NAMESPACE_LEVEL_MAX: u32 = 32;

/// A `struct task_struct`, read by way of `R`.
pub(crate) struct Task<R> {
    pointer: *const u8,
    read: PhantomData<R>,
}

impl Task<Helped> {
    /// The task that the program runs in. Means something only where the kernel is at work for
    /// that task: in a system call, not in an interrupt.
    #[inline(always)]
    pub(crate) fn current() -> Self {
        // SAFETY: the helpers have no preconditions. The verifier knows the type of what the first
        // gives; what the second gives, `Probed` reads.
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
    /// The same for programs that the verifier refuses with both ways to read in them.
    #[inline(always)]
    pub(crate) fn current() -> Self {
        // SAFETY: the helper has no preconditions; `Probed` reads anything.
        unsafe { Self::new(bpf_get_current_task() as *const u8) }
    }
}

impl<R: Read> Task<R> {
    /// # Safety
    /// `pointer` must be what `R` can read.
    #[inline(always)]
    pub(crate) unsafe fn new(pointer: *const u8) -> Self {
        Self { pointer, read: PhantomData }
    }

    #[inline(always)]
    pub(crate) fn field<T: Copy>(&self, offset: usize) -> Option<T> {
        // SAFETY: `new` requires that `R` can read the pointer; every `T` is an integer or a
        // pointer.
        unsafe { R::read(self.pointer, offset) }
    }

    #[inline(always)]
    fn group_leader(&self) -> Option<Self> {
        let leader = self.field(offset!(task_group_leader))?;
        // SAFETY: a pointer field of what `R` can read.
        Some(unsafe { Self::new(leader) })
    }

    /// The process id as the tracer's pid namespace sees it; 0 if it does not.
    ///
    /// `struct pid` has one number for each namespace from the initial one, level 0, inwards. The
    /// helper `bpf_get_ns_current_pid_tgid` would not do: it knows only processes of exactly the
    /// given namespace, and a container's are seen from the host's as well.
    #[inline(always)]
    pub(crate) fn visible_pid(&self) -> Option<u32> {
        let signal: *const u8 = self.field(offset!(task_signal))?;
        // SAFETY: pointer fields of what `R` can read. Where the array is indexed at run time,
        // the verifier does not let plain loads do it.
        unsafe {
            let pid: *const u8 = R::read(signal, offset!(signal_tgid))?;
            if pid.is_null() {
                // The process is being taken apart.
                return Some(0);
            }
            // Nearly always the tracer runs in the outermost namespace.
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

    /// When the process started, in nanoseconds since boot.
    #[inline(always)]
    pub(crate) fn start_time_ns(&self) -> Option<u64> {
        self.group_leader()?.field(offset!(task_start_time))
    }

    /// The name of the process, which is that of its first thread.
    #[inline(always)]
    pub(crate) fn copy_comm(&self, comm: &mut [u8; COMM_LENGTH]) -> Option<()> {
        let source = self.group_leader()?.pointer.wrapping_add(offset!(task_comm));
        // SAFETY: the helper fails on an address that cannot be read.
        unsafe { bpf_probe_read_kernel_buf(source, comm) }.ok()
    }

    /// Fills in the process, whose visible pid the caller has found out already.
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
