//! The backend of snapshots: the BPF programs, or `sock_diag(7)`.

#[cfg(test)]
pub(crate) mod scripted;

use std::time::Duration;

use anyhow::{Result, bail};
use tracer_common::RawProcess;
use tracer_core::{FallbackReason, Timestamp};
use tracer_inspect::clock;

#[cfg(test)]
use self::scripted::ScriptedHost;
use super::{
    kernel::{
        extent::Extent,
        iterator::{Reading, WalkStats},
        load::Kernel,
        object::KernelOptions,
    },
    plan::Source,
    sock_diag::SockDiag,
    socket_records::SocketRecords,
};
use crate::wall_clock::WallClock;

/// The backend that a run uses.
#[cfg_attr(test, expect(clippy::large_enum_variant, reason = "only one exists"))]
pub(crate) enum BackendSource {
    /// The running kernel.
    Host,
    /// A simulated host, for tests.
    #[cfg(test)]
    Scripted(ScriptedHost),
}

impl BackendSource {
    /// Conversion from the clock of events and snapshots to wall time.
    pub(crate) fn wall_clock(&self) -> WallClock {
        match self {
            Self::Host => WallClock::now(),
            #[cfg(test)]
            Self::Scripted(host) => host.wall_clock(),
        }
    }

    /// Whether time is simulated.
    #[cfg(test)]
    pub(crate) const fn is_scripted(&self) -> bool {
        matches!(self, Self::Scripted(_))
    }

    /// Opens the best backend that works, or `only` that of the given source. The reason is `Some`
    /// if it is not the BPF programs.
    ///
    /// # Errors
    /// The requested backend, or neither of them, works.
    pub(super) fn open(
        self,
        options: KernelOptions,
        only: Option<Source>,
    ) -> Result<(Backend, Option<FallbackReason>)> {
        match self {
            Self::Host => open(options, only),
            #[cfg(test)]
            Self::Scripted(mut host) => {
                let reason = host.start();
                Ok((Backend::Scripted(host), reason))
            }
        }
    }
}

/// The source of a run's snapshots.
#[expect(clippy::large_enum_variant, reason = "only one exists, usually the large variant")]
pub(super) enum Backend {
    /// The BPF programs.
    Kernel(Kernel),
    /// `sock_diag(7)`, `/proc` and `pidfd_getfd(2)`.
    SockDiag(SockDiag),
    /// A simulated host, for tests.
    #[cfg(test)]
    Scripted(ScriptedHost),
}

impl Backend {
    /// The BPF programs, if they are used.
    pub(super) const fn kernel(&mut self) -> Option<&mut Kernel> {
        match self {
            Self::Kernel(kernel) => Some(kernel),
            Self::SockDiag(_) => None,
            #[cfg(test)]
            Self::Scripted(_) => None,
        }
    }

    /// Now, on the clock of events and snapshots.
    pub(super) fn now(&self) -> Timestamp {
        match self {
            Self::Kernel(_) | Self::SockDiag(_) => clock::now(),
            #[cfg(test)]
            Self::Scripted(host) => host.now(),
        }
    }

    /// CPU time used by this process so far.
    pub(super) fn cpu_time(&self) -> Duration {
        match self {
            Self::Kernel(_) | Self::SockDiag(_) => clock::cpu_time(),
            // Time is simulated, and the CPU time of other tests in this process must not count.
            #[cfg(test)]
            Self::Scripted(_) => Duration::ZERO,
        }
    }

    /// The flag in `sk_flags` that is set when the peer's FIN has arrived.
    ///
    /// # Errors
    /// The backend has no iterator.
    pub(super) fn fin_flag(&self) -> Result<u64> {
        match self {
            Self::Kernel(kernel) => Ok(kernel.layout().done_flag),
            Self::SockDiag(_) => bail!("the BPF programs are not loaded"),
            #[cfg(test)]
            Self::Scripted(_) => Ok(scripted::FIN_FLAG),
        }
    }

    /// Runs one pass of the iterator, and passes each record to `each`.
    ///
    /// # Errors
    /// The backend has no iterator, or the kernel cannot run it.
    pub(super) fn walk(
        &mut self,
        extent: Extent,
        reading: Reading,
        each: &mut dyn SocketRecords,
    ) -> Result<WalkStats> {
        match self {
            Self::Kernel(kernel) => kernel.walk(extent, reading, each),
            Self::SockDiag(_) => bail!("the BPF programs are not loaded"),
            #[cfg(test)]
            Self::Scripted(host) => Ok(host.walk(each)),
        }
    }

    /// The state of the processes that the latest pass has shown, if the backend reads it.
    pub(super) fn processes(&self) -> &[RawProcess] {
        match self {
            Self::Kernel(kernel) => kernel.processes(),
            Self::SockDiag(_) => &[],
            #[cfg(test)]
            Self::Scripted(_) => &[],
        }
    }
}

/// Opens the best backend that works on this host, or `only` that of the given source. The reason
/// is `Some` if it is not the BPF programs.
///
/// # Errors
/// The requested backend, or neither of them, works.
fn open(options: KernelOptions, only: Option<Source>) -> Result<(Backend, Option<FallbackReason>)> {
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
