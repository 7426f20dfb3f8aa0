//! What this process is allowed to do.

use std::fs;

/// Numbers of `include/uapi/linux/capability.h`.
const CAP_SYS_ADMIN: u32 = 21;
const CAP_PERFMON: u32 = 38;
const CAP_BPF: u32 = 39;

/// Whether this process has the capabilities that loading takes: `CAP_SYS_ADMIN`, or both `CAP_BPF`
/// and `CAP_PERFMON`. True if that cannot be found out: the kernel has the last word anyway.
pub(crate) fn may_load_programs() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    effective_capabilities(&status).is_none_or(suffice)
}

/// The bit set after `CapEff:` in `/proc/PID/status`.
fn effective_capabilities(status: &str) -> Option<u64> {
    let hexadecimal = status.lines().find_map(|line| line.strip_prefix("CapEff:"))?;
    u64::from_str_radix(hexadecimal.trim(), 16).ok()
}

fn suffice(capabilities: u64) -> bool {
    let has = |number: u32| capabilities >> number & 1 == 1;
    has(CAP_SYS_ADMIN) || (has(CAP_BPF) && has(CAP_PERFMON))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_or_both_capabilities_suffice() {
        let capabilities = |set: &str| {
            effective_capabilities(&format!("Name:\tx\nCapPrm:\t0\nCapEff:\t{set}\nCapBnd:\t0\n"))
        };
        assert!(capabilities("000001fffeffffff").is_some_and(suffice));
        assert!(capabilities("000000c000000000").is_some_and(suffice));
        assert!(!capabilities("0000008000000000").is_some_and(suffice));
        assert!(!capabilities("0000000000000000").is_some_and(suffice));
        assert_eq!(capabilities("not a number"), None);
    }
}
