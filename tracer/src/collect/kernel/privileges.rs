//! What this process is allowed to do, and what it gives up.

use std::fs;

use anyhow::{Context as _, Result};
use caps::{CapSet, Capability, CapsHashSet};

/// Whether this process has a capability. True if that cannot be found out: the kernel has the last
/// word anyway.
pub(crate) fn has(capability: Capability) -> bool {
    caps::has_cap(None, CapSet::Effective, capability).unwrap_or(true)
}

/// Whether this process has the capabilities that loading takes: `CAP_SYS_ADMIN`, or both `CAP_BPF`
/// and `CAP_PERFMON`.
pub(crate) fn may_load_programs() -> bool {
    suffice(has)
}

fn suffice(has: impl Fn(Capability) -> bool) -> bool {
    has(Capability::CAP_SYS_ADMIN) || (has(Capability::CAP_BPF) && has(Capability::CAP_PERFMON))
}

/// The value of a setting in `/proc/sys`, as in `kernel.perf_event_paranoid = 2`; `None` if the
/// kernel does not have it.
pub(crate) fn setting(name: &str) -> Option<String> {
    let path = format!("/proc/sys/{}", name.replace('.', "/"));
    let value = fs::read_to_string(path).ok()?;
    Some(format!("{name} = {}", value.trim()))
}

/// What stands against loading kernel programs, with the setting that decides for others: ` (NAME =
/// VALUE)`, or nothing.
pub(crate) fn bpf_setting() -> String {
    let setting = setting("kernel.unprivileged_bpf_disabled");
    setting.map_or_else(String::new, |setting| format!(" ({setting})"))
}

/// The same for events that `perf_event_open` makes.
pub(super) fn perf_setting() -> String {
    let setting = setting("kernel.perf_event_paranoid").unwrap_or_default();
    format!(
        " ({setting}; it takes CAP_PERFMON, and for uprobes on newer kernels CAP_SYS_ADMIN too)"
    )
}

/// What a run does after its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Needs {
    /// It has kernel programs.
    pub(crate) programs: bool,
    /// It hooks further functions of further programs as it goes.
    pub(crate) uprobes: bool,
    /// It makes files beside those that it has open.
    pub(crate) files: bool,
}

impl Needs {
    /// The capabilities for that, of those that the process `has`.
    fn capabilities(self, has: impl Fn(Capability) -> bool) -> CapsHashSet {
        // `/proc/PID` and the memory of other users' processes.
        let mut wanted = CapsHashSet::from([
            Capability::CAP_SYS_PTRACE,
            Capability::CAP_DAC_READ_SEARCH,
            // `/proc/PID/map_files`: the file of a program that was deleted or is in a container.
            Capability::CAP_CHECKPOINT_RESTORE,
        ]);
        if self.programs {
            wanted.insert(Capability::CAP_BPF);
        } else {
            // To enter other network namespaces.
            wanted.insert(Capability::CAP_SYS_ADMIN);
        }
        if self.uprobes {
            // Newer kernels ask for the second one: 6.18 did.
            wanted.extend([Capability::CAP_PERFMON, Capability::CAP_SYS_ADMIN]);
        }
        if self.files {
            wanted.insert(Capability::CAP_DAC_OVERRIDE);
        }
        // It stands in for these where they were not given.
        let stands_in = [Capability::CAP_BPF, Capability::CAP_PERFMON];
        if stands_in.into_iter().any(|it| wanted.contains(&it) && !has(it)) {
            wanted.insert(Capability::CAP_SYS_ADMIN);
        }
        wanted.retain(|capability| has(*capability));
        wanted
    }
}

/// Gives up, for good, all capabilities but those that are needed from here on. It has to be done
/// before there is another thread.
///
/// # Errors
/// The kernel refused.
pub(crate) fn give_up_all_but(needs: Needs) -> Result<()> {
    let kept = needs.capabilities(has);
    log::debug!("kept of all capabilities: {kept:?}");
    let give_up = || {
        // Kernels before 4.3 have none.
        let _ = caps::clear(None, CapSet::Ambient);
        caps::clear(None, CapSet::Inheritable)?;
        caps::set(None, CapSet::Effective, &kept)?;
        caps::set(None, CapSet::Permitted, &kept)
    };
    give_up().context("cannot give up privileges that are not needed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_or_both_capabilities_suffice() {
        use Capability::{CAP_BPF, CAP_PERFMON, CAP_SYS_ADMIN, CAP_SYS_PTRACE};
        let with = |set: &[Capability]| suffice(|capability| set.contains(&capability));
        assert!(with(&[CAP_SYS_ADMIN]));
        assert!(with(&[CAP_BPF, CAP_PERFMON]));
        assert!(!with(&[CAP_BPF]));
        assert!(!with(&[CAP_PERFMON, CAP_SYS_PTRACE]));
        assert!(!with(&[]));
    }

    #[test]
    fn what_is_kept_is_what_is_needed_and_there() {
        use Capability::{
            CAP_BPF, CAP_CHECKPOINT_RESTORE, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_PERFMON,
            CAP_SYS_ADMIN, CAP_SYS_PTRACE,
        };
        let all = |_| true;
        let look = [CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH, CAP_CHECKPOINT_RESTORE];
        let and = |more: &[Capability]| look.iter().chain(more).copied().collect::<CapsHashSet>();
        let needs = Needs { programs: true, uprobes: false, files: false };
        assert_eq!(needs.capabilities(all), and(&[CAP_BPF]));
        let more = Needs { uprobes: true, files: true, ..needs };
        assert_eq!(
            more.capabilities(all),
            and(&[CAP_BPF, CAP_PERFMON, CAP_SYS_ADMIN, CAP_DAC_OVERRIDE])
        );
        let none = Needs { programs: false, ..needs };
        assert_eq!(none.capabilities(all), and(&[CAP_SYS_ADMIN]));
        let old = |capability| capability == CAP_SYS_ADMIN;
        assert_eq!(needs.capabilities(old), [CAP_SYS_ADMIN].into());
        assert_eq!(more.capabilities(|_| false), CapsHashSet::default());
    }
}
