//! By what a run sees sockets: the kernel programs, or `sock_diag`.

use anyhow::{Result, bail};
use tracer_core::FallbackReason;

use super::{
    kernel::{load::Kernel, object::KernelOptions},
    plan::Source,
    sock_diag::SockDiag,
};

/// What a run looks at sockets with.
#[expect(clippy::large_enum_variant, reason = "there is one of it, and the large one as a rule")]
pub(super) enum Backend {
    /// The kernel programs.
    Kernel(Kernel),
    /// What the kernel tells without them.
    SockDiag(SockDiag),
}

impl Backend {
    pub(super) const fn kernel(&mut self) -> Option<&mut Kernel> {
        match self {
            Self::Kernel(kernel) => Some(kernel),
            Self::SockDiag(_) => None,
        }
    }
}

/// The best that this host allows, and why it is not the kernel programs, if it is not. `only` is
/// the one that is to be had, if any.
///
/// # Errors
/// It cannot be had, or none can.
pub(super) fn open(
    options: KernelOptions,
    only: Option<Source>,
) -> Result<(Backend, Option<FallbackReason>)> {
    let reason = match only {
        Some(Source::SockDiag) => FallbackReason::Requested,
        _ => match Kernel::load(options) {
            Ok(kernel) => return Ok((Backend::Kernel(kernel), None)),
            Err(error) if only.is_some() => return Err(error),
            Err(error) => FallbackReason::ProgramsNotLoaded { detail: format!("{error:#}") },
        },
    };
    match (SockDiag::open(), reason) {
        (Ok(sock_diag), reason) => Ok((Backend::SockDiag(sock_diag), Some(reason))),
        (Err(error), FallbackReason::ProgramsNotLoaded { detail }) => bail!("{detail}; {error:#}"),
        (Err(error), FallbackReason::Requested) => Err(error),
    }
}
