//! Which system calls the filter lets through, tried in a thread that has it.

use std::{
    ffi::{CString, c_long},
    io, ptr, thread,
};

use rustix::thread::set_no_new_privs;

use super::*;

/// A system call with its arguments, and what it is.
type Call = (&'static str, i64, [i64; 6]);

/// The error number of a system call; 0 if it succeeded.
fn error_of((_, number, arguments): &Call) -> i32 {
    let [first, second, third, fourth, fifth, sixth] = *arguments;
    // SAFETY: the calls below read and write no memory of this process other than new mappings, and
    // what their pointers refer to is alive.
    let result =
        unsafe { libc::syscall(*number as c_long, first, second, third, fourth, fifth, sixth) };
    if result == -1 { io::Error::last_os_error().raw_os_error().unwrap_or(0) } else { 0 }
}

/// The calls that are refused in a thread with the filter.
fn refused(calls: Vec<Call>) -> Vec<&'static str> {
    let with_filter = thread::spawn(move || {
        set_no_new_privs(true).unwrap();
        filter_system_calls().unwrap();
        calls.iter().filter(|call| error_of(call) == libc::EPERM).map(|call| call.0).collect()
    });
    with_filter.join().unwrap()
}

const fn call<const N: usize>(name: &'static str, number: i64, arguments: [i64; N]) -> Call {
    let mut all = [0; 6];
    let mut index = 0;
    while index < N {
        all[index] = arguments[index];
        index += 1;
    }
    (name, number, all)
}

fn open(name: &'static str, path: &CString, flags: i32) -> Call {
    call(name, libc::SYS_openat, [libc::AT_FDCWD.into(), path.as_ptr() as i64, flags.into(), 0o600])
}

fn map(name: &'static str, protection: i32, flags: i32) -> Call {
    call(name, libc::SYS_mmap, [0, 4_096, protection.into(), flags.into(), -1, 0])
}

#[test]
fn what_reading_takes_is_allowed() {
    let program = CString::new("/proc/self/exe").unwrap();
    let anonymous = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    let calls = vec![
        open("open to read", &program, libc::O_RDONLY | libc::O_CLOEXEC),
        open("open a place", &program, libc::O_PATH | libc::O_CLOEXEC),
        map("map memory", libc::PROT_READ | libc::PROT_WRITE, anonymous),
        call("read", libc::SYS_read, [-1, 0, 0]),
        call("read a process", libc::SYS_process_vm_readv, [1 << 30, 0, 0, 0, 0, 0]),
        call("duplicate", libc::SYS_fcntl, [0, libc::F_DUPFD_CLOEXEC.into(), 3]),
        call("ask whether a process exists", libc::SYS_kill, [1 << 30, 0]),
        call("abort", libc::SYS_tgkill, [getpid().as_raw_pid().into(), 1 << 30, 0]),
    ];
    assert_eq!(refused(calls), Vec::<&str>::new());
}

#[test]
fn everything_else_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name| CString::new(directory.path().join(name).to_str().unwrap()).unwrap();
    std::fs::write(directory.path().join("file"), "text").unwrap();
    let (file, new) = (path("file"), path("new"));
    let parent = i64::from(std::os::unix::process::parent_id());
    let shared = libc::MAP_SHARED | libc::MAP_ANONYMOUS;
    let executable = libc::PROT_READ | libc::PROT_EXEC;
    let calls = vec![
        open("open to write", &file, libc::O_WRONLY),
        open("open to read and write", &file, libc::O_RDWR),
        open("create", &new, libc::O_CREAT),
        open("truncate", &file, libc::O_TRUNC),
        open("open a file without a name", &file, libc::O_TMPFILE),
        call("openat2", libc::SYS_openat2, [-1, 0, 0, 0]),
        call("remove", libc::SYS_unlinkat, [libc::AT_FDCWD.into(), file.as_ptr() as i64, 0]),
        map("map executable memory", executable, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS),
        map("map shared memory", libc::PROT_READ | libc::PROT_WRITE, shared),
        call("protect", libc::SYS_mprotect, [0, 0, executable.into()]),
        call("execute", libc::SYS_execve, [ptr::null::<u8>() as i64]),
        call("execute a file", libc::SYS_execveat, [-1]),
        call("fork", libc::SYS_clone3, []),
        call("trace", libc::SYS_ptrace, [libc::PTRACE_PEEKDATA.into(), parent]),
        call("write to a process", libc::SYS_process_vm_writev, [parent]),
        call("take a file descriptor", libc::SYS_pidfd_getfd, [-1]),
        call("signal", libc::SYS_kill, [parent, libc::SIGURG.into()]),
        call("signal a thread", libc::SYS_tgkill, [parent, parent, 0]),
        call("own a file descriptor", libc::SYS_fcntl, [0, libc::F_SETOWN.into(), parent]),
        call("choose a signal", libc::SYS_fcntl, [0, 10, 9]),
        call("socket", libc::SYS_socket, [libc::AF_INET.into(), libc::SOCK_STREAM.into()]),
        call("send file descriptors", libc::SYS_sendmsg, [-1]),
        call("bpf", libc::SYS_bpf, [-1]),
        call("perf", libc::SYS_perf_event_open, []),
        call("mount", libc::SYS_mount, []),
        call("enter a namespace", libc::SYS_setns, [-1]),
        call("leave a namespace", libc::SYS_unshare, [0]),
        call("io_uring", libc::SYS_io_uring_setup, [0]),
        call("control a device", libc::SYS_ioctl, [-1]),
        call("set an attribute", libc::SYS_prctl, [libc::PR_SET_DUMPABLE.into(), 1]),
        call("another filter", libc::SYS_seccomp, [-1]),
        call("raise a limit", libc::SYS_setrlimit, [libc::RLIMIT_FSIZE.into()]),
    ];
    let names: Vec<&str> = calls.iter().map(|call| call.0).collect();
    assert_eq!(refused(calls), names);
}
