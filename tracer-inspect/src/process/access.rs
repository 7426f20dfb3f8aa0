//! Why the kernel refused access to a process.

use std::{
    fs,
    io::{self, ErrorKind},
};

use rustix::io::Errno;
use tracer_core::AccessError;

/// Why a file of `/proc/PID` could not be read.
pub fn file_error(error: &io::Error) -> AccessError {
    match error.kind() {
        ErrorKind::PermissionDenied => {
            // The text of EACCES is "Permission denied".
            let is_plain = Errno::from_io_error(error) == Some(Errno::ACCESS);
            AccessError::PermissionDenied { detail: (!is_plain).then(|| without_number(error)) }
        }
        _ => AccessError::Failed { detail: error.to_string() },
    }
}

/// The operating system's text, for use in parentheses: without ` (os error 1)`.
fn without_number(error: &io::Error) -> String {
    let text = error.to_string();
    text.split_once(" (os error").map_or(text.as_str(), |(text, _)| text).to_owned()
}

/// Why the memory of a process, or `/proc/PID/task/TID/syscall`, could not be read. Both require
/// `PTRACE_MODE_ATTACH` (ptrace(2)), which Yama can deny to all processes.
pub fn attach_error(error: &io::Error) -> AccessError {
    let scope = fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope").unwrap_or_default();
    with_ptrace_scope(error, scope.trim_end())
}

/// Like [`attach_error`], with the value of the sysctl `kernel.yama.ptrace_scope`.
fn with_ptrace_scope(error: &io::Error, ptrace_scope: &str) -> AccessError {
    let is_no_attach = ptrace_scope == "3" && error.kind() == ErrorKind::PermissionDenied;
    if is_no_attach {
        AccessError::YamaPtraceScope
    } else if error.raw_os_error() == Some(Errno::NOSYS.raw_os_error()) {
        AccessError::NotInKernel
    } else {
        file_error(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn os_error(errno: Errno) -> io::Error {
        io::Error::from_raw_os_error(errno.raw_os_error())
    }

    #[test]
    fn a_denied_file_and_a_failed_read_differ() {
        let denied = AccessError::PermissionDenied { detail: None };
        assert_eq!(file_error(&os_error(Errno::ACCESS)), denied);
        let detail = Some("Operation not permitted".to_owned());
        let denied = AccessError::PermissionDenied { detail };
        assert_eq!(file_error(&os_error(Errno::PERM)), denied);
        let detail = "Too many open files (os error 24)".to_owned();
        assert_eq!(file_error(&os_error(Errno::MFILE)), AccessError::Failed { detail });
    }

    #[test]
    fn yama_and_a_missing_system_call_are_named() {
        let error = |errno, scope| with_ptrace_scope(&os_error(errno), scope);
        let denied = AccessError::PermissionDenied { detail: None };
        assert_eq!(error(Errno::PERM, "3"), AccessError::YamaPtraceScope);
        for scope in ["0", "1", "2", ""] {
            assert_eq!(error(Errno::ACCESS, scope), denied, "{scope:?}");
        }
        assert_eq!(error(Errno::NOSYS, "3"), AccessError::NotInKernel);
    }
}
