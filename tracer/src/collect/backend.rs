//! The backend of snapshots: the kernel programs, or `sock_diag(7)`.

use anyhow::{Result, bail};
use tracer_core::FallbackReason;

use super::{
    kernel::{load::Kernel, object::KernelOptions},
    plan::Source,
    sock_diag::SockDiag,
};

/// What a run takes snapshots with.
#[expect(clippy::large_enum_variant, reason = "only one exists, usually the large variant")]
pub(super) enum Backend {
    /// The kernel programs.
    Kernel(Kernel),
    /// `sock_diag(7)`, `/proc` and `pidfd_getfd(2)`.
    SockDiag(SockDiag),
}

impl Backend {
    /// The kernel programs, if they are used.
    pub(super) const fn kernel(&mut self) -> Option<&mut Kernel> {
        match self {
            Self::Kernel(kernel) => Some(kernel),
            Self::SockDiag(_) => None,
        }
    }
}

/// Opens the best backend that works on this host, or `only` that of the given source. The reason is
/// `Some` if it is not the kernel programs.
///
/// # Errors
/// The requested backend, or neither of them, works.
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
