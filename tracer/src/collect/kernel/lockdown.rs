//! The kernel's lockdown mode (`man 7 kernel_lockdown`).

use std::fs;

use super::private_mount::with_mounted;

const FILE: &str = "/sys/kernel/security/lockdown";

/// How strictly the kernel is protected from root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lockdown {
    /// The kernel is not locked down.
    None,
    /// Root may not modify the kernel. Everything that the tracer needs works.
    Integrity,
    /// Root may not read kernel memory either, so the BPF programs cannot work.
    Confidentiality,
}

impl Lockdown {
    /// The kernel's name for it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Integrity => "integrity",
            Self::Confidentiality => "confidentiality",
        }
    }

    /// The mode of the running kernel; `None` if it has no lockdown, or its mode cannot be read.
    pub(crate) fn current() -> Option<Self> {
        let text = fs::read_to_string(FILE).ok().or_else(|| {
            let kind = c"securityfs";
            with_mounted(kind, c"/sys/kernel/security", || fs::read_to_string(FILE).ok()).ok()?
        })?;
        Self::parse(&text)
    }

    /// Parses `none [integrity] confidentiality`.
    fn parse(text: &str) -> Option<Self> {
        let (_, rest) = text.split_once('[')?;
        let (name, _) = rest.split_once(']')?;
        [Self::None, Self::Integrity, Self::Confidentiality]
            .into_iter()
            .find(|mode| mode.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::Lockdown;

    #[test]
    fn the_brackets_mark_the_mode() {
        assert_eq!(Lockdown::parse("[none] integrity confidentiality\n"), Some(Lockdown::None));
        assert_eq!(
            Lockdown::parse("none integrity [confidentiality]\n"),
            Some(Lockdown::Confidentiality)
        );
        assert_eq!(Lockdown::parse("none [integrity] confidentiality"), Some(Lockdown::Integrity));
        for nonsense in ["", "none integrity", "[", "[]", "]none[", "[other]"] {
            assert_eq!(Lockdown::parse(nonsense), None, "{nonsense}");
        }
    }
}
