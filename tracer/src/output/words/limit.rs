//! Why less is known about a process than could be, in words.

use tracer_core::{AccessError, Limit};

use crate::output::quantity::{bytes, grouped};

/// One limit, as a phrase that fits one process and several.
pub(crate) fn limit(limit: &Limit) -> String {
    match limit {
        Limit::FdsUnreadable { error } => access("file descriptors", error),
        Limit::ThreadsUnreadable { error } => access("the threads' system calls", error),
        Limit::MemoryUnreadable { error } => access("process memory", error),
        Limit::EpollsTruncated { fds_max, registrations_max } => format!(
            "the epoll instances exceed the limit of {} epoll fds or {} registrations; the rest \
             were not read",
            grouped(*fds_max as u64),
            grouped(*registrations_max as u64)
        ),
        Limit::ThreadsTruncated { threads_max } => {
            format!("only {} threads were inspected", grouped(*threads_max as u64))
        }
        Limit::PolledFdsTruncated => {
            "threads poll more file descriptors than the limit; the rest were not read".to_owned()
        }
        Limit::ThirtyTwoBitProgram => "system calls of 32-bit programs are not decoded".to_owned(),
        Limit::NotGo => "not a Go program".to_owned(),
        Limit::GoOtherArchitecture => "Go program for another CPU architecture".to_owned(),
        Limit::GoroutinesNotOnArchitecture => {
            "goroutine stacks are decoded on amd64 only".to_owned()
        }
        Limit::GoTooOld { minor, oldest_minor } => {
            format!("built with Go 1.{minor}; the oldest supported version is Go 1.{oldest_minor}")
        }
        Limit::GoTooNew { minor, newest_minor } => format!(
            "built with Go 1.{minor}, newer than the newest tested version, Go 1.{newest_minor}, \
             and data structures did not have the expected layout"
        ),
        Limit::NothingVerified => "what was read from process memory did not match the kernel's \
             list of file descriptors, so it was not used"
            .to_owned(),
        Limit::GoFunctionTableMissing => "Go's function table was not found".to_owned(),
        Limit::GoroutineListMissing => "the list of goroutines was not found".to_owned(),
        Limit::GoroutineListMoved => {
            "the list of goroutines moved while it was being read".to_owned()
        }
        Limit::GoroutinesTruncated { scanned, total } => {
            format!("only {} of {} goroutines were scanned", grouped(*scanned), grouped(*total))
        }
        Limit::StacksTruncated { scanned_bytes } => {
            format!("only {} of goroutine stacks were scanned", bytes(*scanned_bytes))
        }
        Limit::ReferencesIncomplete => "references to responses are unknown, because the heap \
             or the stacks are too large, unreadable or changed while being read"
            .to_owned(),
        Limit::GoFunctionMissing { function } => {
            format!("{function} was not found, so HTTP responses cannot be tracked")
        }
        Limit::UprobesRefused { detail } => format!("the kernel refused the uprobes ({detail})"),
        Limit::ProcessEnded => "the process has exited".to_owned(),
        Limit::ResponsesTruncated { resolved, total } => format!(
            "only the oldest {} of {} open responses were matched to connections",
            grouped(*resolved as u64),
            grouped(*total as u64)
        ),
        Limit::ConnectionsNotFound { missing, total } => format!(
            "the connections of {} of {} open responses were not found",
            grouped(*missing as u64),
            grouped(*total as u64)
        ),
        Limit::Recorded { text } => text.clone(),
        Limit::InspectionTooLarge { bytes_max } => {
            format!("the inspection exceeded the limit of {} of memory", bytes(*bytes_max))
        }
        Limit::InspectionTooLong { steps_max } => {
            format!("the inspection exceeded the limit of {} steps", grouped(*steps_max))
        }
        Limit::FileNotLocal { filesystem } => format!(
            "files on {filesystem} are not opened, because that file system may never respond"
        ),
    }
}

fn access(what: &str, error: &AccessError) -> String {
    match error {
        AccessError::PermissionDenied { detail: None } => {
            format!("no permission to read {what}; run as root, or with CAP_SYS_PTRACE")
        }
        AccessError::PermissionDenied { detail: Some(detail) } => {
            format!("no permission to read {what} ({detail}); run as root, or with CAP_SYS_PTRACE")
        }
        AccessError::YamaPtraceScope => format!(
            "no permission to read {what}, because kernel.yama.ptrace_scope is 3, which only a \
             reboot can change"
        ),
        AccessError::NotInKernel => {
            format!(
                "cannot read {what}, because the kernel was built without CONFIG_CROSS_MEMORY_ATTACH"
            )
        }
        AccessError::Failed { detail } => format!("cannot read {what} ({detail})"),
    }
}
