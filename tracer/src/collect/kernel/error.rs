//! Errors of the kernel and of aya on one line, with the fix if one is known.

use std::{error::Error, io};

use anyhow::anyhow;
use aya::programs::ProgramError;
use tracer_inspect::error_with_fix::ErrorWithFix;

use super::{lockdown::Lockdown, privileges};

/// A load error on one line, with its fix if one is known.
pub(super) fn explain(error: &(dyn Error + 'static)) -> anyhow::Error {
    if Lockdown::current() == Some(Lockdown::Confidentiality) {
        return not_loaded(
            "kernel lockdown is in confidentiality mode",
            "boot with lockdown=integrity, or without lockdown",
        );
    }
    let text = one_line(error);
    if is_permission_denied(error) {
        return not_loaded(
            &format!("{text}{}", privileges::bpf_setting()),
            "run as root, or with CAP_BPF and CAP_PERFMON, in the host's user namespace",
        );
    }
    if is_missing_helper(&text) {
        return not_loaded(&format!("this kernel is too old ({text})"), "use Linux 5.10 or newer");
    }
    if has_number(error, libc::EMFILE) {
        return not_loaded(&text, "raise the limit of open files (ulimit -n 1024)");
    }
    anyhow!("cannot load BPF programs: {text}")
}

/// The error for BPF programs that were not loaded for a reason with a known fix.
pub(super) fn not_loaded(reason: &str, fix: &str) -> anyhow::Error {
    ErrorWithFix::new(format!("cannot load BPF programs: {reason}"), fix).into()
}

/// Whether the verifier refused a call of a helper that the kernel does not have, or does not offer
/// to this type of program.
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

/// The error and its causes on one line. From a verifier log, it contains the last message.
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

/// Whether a line of the verifier log is a message, not one of the statistics at the end.
fn is_verdict(line: &str) -> bool {
    let statistics = ["processed ", "verification time ", "stack depth ", "peak_states "];
    !line.trim().is_empty() && !statistics.iter().any(|start| line.starts_with(start))
}

fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}
