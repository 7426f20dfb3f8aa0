//! The capabilities of this process, and which of them it drops.

use std::fs;

use anyhow::{Context as _, Result};
use caps::{CapSet, Capability, CapsHashSet};
use rustix::{
    process::{DumpableBehavior, geteuid, set_dumpable_behavior},
    thread::set_no_new_privs,
};
use tracer_inspect::unprivileged_user::stop_being_root;

/// Whether this process has a capability. True if that is unknown: the kernel checks it anyway.
pub(crate) fn has(capability: Capability) -> bool {
    caps::has_cap(None, CapSet::Effective, capability).unwrap_or(true)
}

/// Whether this process has the capabilities to load BPF programs: `CAP_SYS_ADMIN`, or both
/// `CAP_BPF` and `CAP_PERFMON`.
pub(crate) fn may_load_programs() -> bool {
    suffice(has)
}

fn suffice(has: impl Fn(Capability) -> bool) -> bool {
    has(Capability::CAP_SYS_ADMIN) || (has(Capability::CAP_BPF) && has(Capability::CAP_PERFMON))
}

/// A sysctl and its value, as in `kernel.perf_event_paranoid = 2`; `None` if the kernel does not
/// have it.
pub(crate) fn setting(name: &str) -> Option<String> {
    let path = format!("/proc/sys/{}", name.replace('.', "/"));
    let value = fs::read_to_string(path).ok()?;
    Some(format!("{name} = {}", value.trim()))
}

/// The sysctl that restricts loading of BPF programs, as ` (NAME = VALUE)`; empty if the kernel
/// does not have it.
pub(crate) fn bpf_setting() -> String {
    let setting = setting("kernel.unprivileged_bpf_disabled");
    setting.map_or_else(String::new, |setting| format!(" ({setting})"))
}

/// The sysctl and the capabilities on which `perf_event_open` depends, as ` (…)`.
pub(super) fn perf_setting() -> String {
    let setting = setting("kernel.perf_event_paranoid").unwrap_or_default();
    format!(" ({setting}; CAP_PERFMON is needed, for uprobes on newer kernels also CAP_SYS_ADMIN)")
}

/// The operations for which a run needs capabilities after its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Needs {
    /// The run uses BPF programs.
    pub(crate) programs: bool,
    /// The run attaches further uprobes.
    pub(crate) uprobes: bool,
    /// The run replaces a file, in a directory that may belong to another user.
    pub(crate) replaces_files: bool,
}

impl Needs {
    /// The required capabilities that the process `has`.
    fn capabilities(self, has: impl Fn(Capability) -> bool, is_root: bool) -> CapsHashSet {
        // For files in `/proc/PID` of other users' processes that check ptrace access.
        let mut wanted = CapsHashSet::from([Capability::CAP_SYS_PTRACE]);
        if self.programs {
            wanted.insert(Capability::CAP_BPF);
        } else {
            // To list file descriptors, and to enter other network namespaces.
            wanted.extend([Capability::CAP_DAC_READ_SEARCH, Capability::CAP_SYS_ADMIN]);
        }
        if self.uprobes {
            // Newer kernels, such as 6.18, require the second one too.
            wanted.extend([Capability::CAP_PERFMON, Capability::CAP_SYS_ADMIN]);
        }
        if self.replaces_files {
            wanted.insert(Capability::CAP_DAC_OVERRIDE);
            if is_root {
                // The new file gets the owner of the old one, which may be in a directory in which
                // only owners may replace files, such as `/tmp`.
                wanted.extend([Capability::CAP_CHOWN, Capability::CAP_FOWNER]);
            }
        }
        // `CAP_SYS_ADMIN` implies these if they are missing.
        let implied = [Capability::CAP_BPF, Capability::CAP_PERFMON];
        if implied.into_iter().any(|it| wanted.contains(&it) && !has(it)) {
            wanted.insert(Capability::CAP_SYS_ADMIN);
        }
        wanted.retain(|capability| has(*capability));
        wanted
    }
}

/// Permanently drops all capabilities except those that are still needed, and stops being root: an
/// `exec` gains nothing. It must be called before another thread is started, because user and
/// capabilities are per thread.
///
/// # Errors
/// The kernel refused.
pub(crate) fn drop_all_but(needs: Needs) -> Result<()> {
    let kept = needs.capabilities(has, geteuid().is_root());
    log::debug!("capabilities that are kept: {kept:?}");
    let may_bound = has(Capability::CAP_SETPCAP);
    let drop_others = || -> Result<()> {
        if may_bound {
            caps::clear(None, CapSet::Bounding)?;
        }
        if let Err(error) = stop_being_root() {
            log::debug!("tracer stays root: {error}");
        }
        // Linux before 4.3 has no ambient capabilities.
        let _ = caps::clear(None, CapSet::Ambient);
        caps::clear(None, CapSet::Inheritable)?;
        caps::set(None, CapSet::Effective, &kept)?;
        caps::set(None, CapSet::Permitted, &kept)?;
        set_no_new_privs(true)?;
        if !kept.is_empty() {
            // No other process of the same user may attach to this one, or use its file descriptors.
            set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
        }
        Ok(())
    };
    drop_others().context("cannot drop capabilities that are not needed")
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
            CAP_BPF, CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER, CAP_PERFMON,
            CAP_SYS_ADMIN, CAP_SYS_PTRACE,
        };
        let all = |_| true;
        let and = |more: &[Capability]| {
            [CAP_SYS_PTRACE].iter().chain(more).copied().collect::<CapsHashSet>()
        };
        let needs = Needs { programs: true, uprobes: false, replaces_files: false };
        assert_eq!(needs.capabilities(all, true), and(&[CAP_BPF]));
        let more = Needs { uprobes: true, ..needs };
        assert_eq!(more.capabilities(all, true), and(&[CAP_BPF, CAP_PERFMON, CAP_SYS_ADMIN]));
        let files = Needs { replaces_files: true, ..needs };
        assert_eq!(files.capabilities(all, false), and(&[CAP_BPF, CAP_DAC_OVERRIDE]));
        assert_eq!(
            files.capabilities(all, true),
            and(&[CAP_BPF, CAP_DAC_OVERRIDE, CAP_CHOWN, CAP_FOWNER])
        );
        let none = Needs { programs: false, ..needs };
        assert_eq!(none.capabilities(all, true), and(&[CAP_DAC_READ_SEARCH, CAP_SYS_ADMIN]));
        let old = |capability| capability == CAP_SYS_ADMIN;
        assert_eq!(needs.capabilities(old, true), [CAP_SYS_ADMIN].into());
        assert_eq!(more.capabilities(|_| false, false), CapsHashSet::default());
    }

    /// The table in docs/privileges.md.
    #[test]
    fn what_is_kept_is_what_the_documentation_says() {
        let page = include_str!("../../../../docs/privileges.md");
        let row = |run: &str| -> CapsHashSet {
            let start = format!("| {run} | ");
            let mut lines = page.lines();
            let row = lines.find_map(|line| line.strip_prefix(&start)).expect(run);
            let names = row.split('`').filter(|word| word.starts_with("CAP_"));
            names.map(|name| name.parse().unwrap()).collect()
        };
        let kept = |rows: &[&str]| rows.iter().copied().flat_map(row).collect::<CapsHashSet>();
        let (every, programs) = ("every run", "with BPF programs");
        let needs = Needs { programs: true, uprobes: false, replaces_files: false };
        for (needs, rows) in [
            (needs, &[every, programs][..]),
            (Needs { uprobes: true, ..needs }, &[every, programs, "with uprobes"]),
            (
                Needs { replaces_files: true, ..needs },
                &[every, programs, "with a recording and `--max-size`"],
            ),
            (Needs { programs: false, ..needs }, &[every, "in fallback mode"]),
        ] {
            assert_eq!(needs.capabilities(|_| true, true), kept(rows), "{needs:?}");
        }
    }
}
