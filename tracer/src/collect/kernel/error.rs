//! Errors of the kernel and of aya on one line, with cause and remedy.

use std::{error::Error, io};

use anyhow::anyhow;
use aya::programs::ProgramError;

use super::{lockdown::Lockdown, privileges};

/// An error of loading, on one line with cause and remedy.
pub(super) fn explain(error: &(dyn Error + 'static)) -> anyhow::Error {
    if Lockdown::current() == Some(Lockdown::Confidentiality) {
        return anyhow!(
            "cannot load BPF programs: kernel lockdown is in confidentiality mode; boot with \
             lockdown=integrity, or without lockdown"
        );
    }
    if is_permission_denied(error) {
        return anyhow!(
            "cannot load BPF programs: {}{}; run as root, or with CAP_BPF and CAP_PERFMON, in the \
             host's user namespace",
            one_line(error),
            privileges::bpf_setting()
        );
    }
    let text = one_line(error);
    if is_missing_helper(&text) {
        return anyhow!(
            "cannot load BPF programs: this kernel is too old ({text}); use Linux 5.10 or newer"
        );
    }
    let remedy = if has_number(error, libc::EMFILE) {
        "; raise the limit of open files (ulimit -n 1024)"
    } else {
        ""
    };
    anyhow!("cannot load BPF programs: {text}{remedy}")
}

/// Whether the verifier refused a call of a helper that the kernel does not have, or not for this
/// type of program.
pub(super) fn is_missing_helper(text: &str) -> bool {
    text.contains("invalid func unknown#") || text.contains("unknown func ")
}

/// Whether the kernel returned EPERM. A refusal by the verifier is EACCES and has other causes.
fn is_permission_denied(error: &(dyn Error + 'static)) -> bool {
    has_number(error, libc::EPERM)
}

fn has_number(error: &(dyn Error + 'static), number: i32) -> bool {
    causes(error).any(|cause| {
        let cause = cause.downcast_ref::<io::Error>();
        cause.is_some_and(|cause| cause.raw_os_error() == Some(number))
    })
}

/// The error and its causes on one line. Of a verifier log it has the last message.
pub(super) fn one_line(error: &(dyn Error + 'static)) -> String {
    let mut parts: Vec<String> = Vec::new();
    for cause in causes(error) {
        let text = match cause.downcast_ref::<ProgramError>() {
            Some(ProgramError::LoadError { io_error, verifier_log }) => {
                let log = verifier_log.to_string();
                let last = log.lines().rfind(|line| is_verdict(line)).unwrap_or_default();
                format!("the kernel refused the program ({io_error}) {last}")
            }
            _ => cause.to_string(),
        };
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        // The text of many errors includes that of their cause.
        if !parts.last().is_some_and(|part| part.contains(&text)) {
            parts.push(text);
        }
    }
    let text = parts.join(": ");
    let is_denied = [libc::EACCES, libc::EPERM].into_iter().any(|it| has_number(error, it));
    if is_denied && text.contains("perf_event_open") {
        return format!("{text}{}", privileges::perf_setting());
    }
    text
}

/// Whether a line of the verifier log is a message, and not one of the statistics at the end.
fn is_verdict(line: &str) -> bool {
    let statistics = ["processed ", "verification time ", "stack depth ", "peak_states "];
    !line.trim().is_empty() && !statistics.iter().any(|start| line.starts_with(start))
}

fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}
