//! `tracer doctor`: what this host allows, and what each lack costs.

use std::{
    fs,
    io::{self, Write as _},
    path::Path,
};

use anyhow::Result;

use crate::{
    exit_code, processes,
    sink::terminal,
    source::{
        kernel::{Kernel, KernelOptions},
        lockdown::Lockdown,
        privileges::may_load_programs,
    },
};

/// How well something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Health {
    Full,
    Degraded,
    Unusable,
}

struct Finding {
    health: Health,
    subject: String,
    text: String,
}

/// Examines the host, prints a line for each thing, and gives the exit code: 0 everything is
/// there, 3 it works with less, 2 it does not work.
///
/// # Errors
/// The standard output cannot be written.
pub(crate) fn run() -> Result<u8> {
    let findings = examine();
    let worst = findings.iter().map(|finding| finding.health).max().unwrap_or(Health::Full);
    let mut text: String = findings.iter().map(line).collect();
    text.push_str(match worst {
        Health::Full => "\nEverything works here.\n",
        Health::Degraded => "\ntracer works here, with less: see the lines marked `less`.\n",
        Health::Unusable => "\ntracer cannot work here: see the lines marked `no`.\n",
    });
    if let Err(error) = io::stdout().write_all(text.as_bytes())
        && !terminal::is_broken_pipe(&error)
    {
        return Err(anyhow::Error::new(error)
            .context("cannot write to the standard output; redirect it somewhere else"));
    }
    Ok(match worst {
        Health::Full => exit_code::CLEAN,
        Health::Degraded => exit_code::INCOMPLETE,
        Health::Unusable => exit_code::FAILED,
    })
}

fn line(finding: &Finding) -> String {
    let mark = match finding.health {
        Health::Full => "ok",
        Health::Degraded => "less",
        Health::Unusable => "no",
    };
    format!("{mark:<5} {:<22} {}\n", finding.subject, finding.text)
}

fn examine() -> Vec<Finding> {
    let mut findings = vec![
        kernel(),
        type_information(),
        processes_seen(),
        containers(),
        privileges(),
        lockdown(),
    ];
    match Kernel::load(KernelOptions::default()) {
        Ok(mut kernel) => {
            findings.push(full("snapshot", "iter/task_file loads"));
            findings.extend(kernel.attach().iter().map(|hook| {
                Finding {
                    health: if hook.rung.is_some() { Health::Full } else { Health::Degraded },
                    subject: hook.name.to_owned(),
                    text: hook
                        .to_string()
                        .split_once(": ")
                        .map_or_else(String::new, |(_, rest)| rest.to_owned()),
                }
            }));
            findings.push(uprobes(&mut kernel));
        }
        Err(error) => findings.push(Finding {
            health: Health::Unusable,
            subject: "snapshot".to_owned(),
            text: format!("{error:#}"),
        }),
    }
    findings
}

/// What follows the responses of Go programs hangs on their functions.
fn uprobes(kernel: &mut Kernel) -> Finding {
    match kernel.try_uprobe() {
        Ok(()) => full("uprobes", "can be attached"),
        Err(error) => Finding {
            health: Health::Degraded,
            subject: "uprobes".to_owned(),
            text: format!(
                "cannot be attached ({error:#}): of responses of Go programs that nobody closes, \
                 those over HTTP/2 are not found, and where others were asked for is not known"
            ),
        },
    }
}

fn full(subject: &str, text: impl Into<String>) -> Finding {
    Finding { health: Health::Full, subject: subject.to_owned(), text: text.into() }
}

fn kernel() -> Finding {
    match processes::host() {
        Ok((_, release)) => full("kernel", format!("Linux {release}")),
        Err(error) => Finding {
            health: Health::Unusable,
            subject: "kernel".to_owned(),
            text: format!("/proc cannot be read ({error}): mount it"),
        },
    }
}

fn processes_seen() -> Finding {
    let finding = |health, text: String| Finding { health, subject: "processes".to_owned(), text };
    match processes::limits_of_proc() {
        Ok(None) => full("processes", "all of the host's can be seen"),
        Ok(Some(limit)) => finding(
            Health::Degraded,
            format!("{limit}; to see them, run in the host's (docker run --pid=host)"),
        ),
        Err(error) => finding(Health::Unusable, format!("{error:#}")),
    }
}

/// What a container is called is in the paths of cgroups, which a cgroup namespace shortens.
fn containers() -> Finding {
    match processes::has_own_cgroups() {
        Ok(false) => full("containers", "are told by the cgroups of their processes"),
        Ok(true) => Finding {
            health: Health::Degraded,
            subject: "containers".to_owned(),
            text: "inside a cgroup namespace: which container this one is, and what is around it, \
                   cannot be told; the ids of others can. To see all, run in the host's \
                   (docker run --cgroupns=host)"
                .to_owned(),
        },
        Err(error) => Finding {
            health: Health::Degraded,
            subject: "containers".to_owned(),
            text: format!("cannot be told: {error:#}"),
        },
    }
}

fn type_information() -> Finding {
    let path = Path::new("/sys/kernel/btf/vmlinux");
    if path.exists() {
        return full("BTF", format!("{}", path.display()));
    }
    Finding {
        health: Health::Unusable,
        subject: "BTF".to_owned(),
        text: format!(
            "{} is missing: use a kernel with CONFIG_DEBUG_INFO_BTF=y, and mount /sys",
            path.display()
        ),
    }
}

fn privileges() -> Finding {
    let capabilities = fs::read_to_string("/proc/self/status")
        .ok()
        .and_then(|status| {
            let value = status.lines().find_map(|line| line.strip_prefix("CapEff:"))?;
            Some(value.trim().to_owned())
        })
        .unwrap_or_else(|| "unknown".to_owned());
    if may_load_programs() {
        return full("privileges", format!("may load kernel programs (CapEff {capabilities})"));
    }
    Finding {
        health: Health::Unusable,
        subject: "privileges".to_owned(),
        text: "needs root, or CAP_BPF and CAP_PERFMON: run it with sudo".to_owned(),
    }
}

fn lockdown() -> Finding {
    match Lockdown::current() {
        Some(Lockdown::Confidentiality) => Finding {
            health: Health::Unusable,
            subject: "lockdown".to_owned(),
            text: "confidentiality: not even root may read kernel memory; boot with less"
                .to_owned(),
        },
        Some(mode) => full("lockdown", mode.name()),
        None => full("lockdown", "not to be read here (securityfs is not mounted)"),
    }
}
