//! A process that is blocked in `read`, and its stack as the kernel records it by frame pointers.

use std::{
    fs,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use tracer_core::ProcessKey;

use crate::{
    budget::Budget,
    call_sites::DEPTH_MAX,
    process::{
        identity::{TICK_NS, started},
        memory::{Memory as _, ProcessMemory},
    },
};

/// A child process that is blocked in `read` on its stdin.
pub(super) struct Waiting {
    child: Child,
}

impl Waiting {
    /// Starts a program and waits until it reads its stdin.
    pub(super) fn start(command: &mut Command) -> Self {
        let child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn();
        let waiting = Self { child: child.expect("the program is missing") };
        let deadline = Instant::now() + Duration::from_mins(1);
        let call = format!("/proc/{}/syscall", waiting.child.id());
        // `read` of fd 0.
        while !fs::read_to_string(&call).is_ok_and(|call| call.starts_with("0 0x0 ")) {
            assert!(Instant::now() < deadline, "{command:?} does not read");
            thread::sleep(Duration::from_millis(5));
        }
        waiting
    }

    pub(super) fn key(&self) -> ProcessKey {
        let pid = self.child.id();
        ProcessKey { pid, start_time_ns: started(pid).unwrap() * TICK_NS }
    }

    /// Walks the frame pointers like `perf_callchain_user` in `arch/x86/events/core.c`.
    pub(super) fn stack(&self) -> Vec<u64> {
        let registers = self.registers();
        let budget = Budget::default();
        let memory = ProcessMemory::open(self.child.id(), registers.rip, &budget).unwrap();
        let mut addresses = vec![registers.rip];
        let mut frame = registers.rbp;
        while addresses.len() < DEPTH_MAX {
            let Some(words) = memory.read_one(frame, 16) else { break };
            let word =
                |offset: usize| u64::from_le_bytes(words[offset..offset + 8].try_into().unwrap());
            addresses.push(word(8));
            frame = word(0);
        }
        addresses
    }

    /// The registers of the main thread, which is stopped to read them.
    fn registers(&self) -> libc::user_regs_struct {
        let pid = libc::pid_t::try_from(self.child.id()).unwrap();
        let trace = |request, data: *mut libc::c_void| {
            // SAFETY: the process is our child, and `data` is null, or points to registers for the
            // one request that writes to it.
            let result = unsafe { libc::ptrace(request, pid, 0, data) };
            assert_eq!(result, 0, "{}", std::io::Error::last_os_error());
        };
        // SAFETY: the struct consists of integers, for which all zeros is valid.
        let mut registers: libc::user_regs_struct = unsafe { std::mem::zeroed() };
        let nothing = std::ptr::null_mut();
        trace(libc::PTRACE_SEIZE, nothing);
        trace(libc::PTRACE_INTERRUPT, nothing);
        // SAFETY: the status pointer may be null.
        let stopped = unsafe { libc::waitpid(pid, std::ptr::null_mut(), libc::__WALL) };
        assert_eq!(stopped, pid);
        trace(libc::PTRACE_GETREGS, (&raw mut registers).cast());
        trace(libc::PTRACE_DETACH, nothing);
        registers
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}
