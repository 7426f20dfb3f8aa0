//! Where the running kernel keeps what the programs read.

use tracer_common::{Offset, Offsets};

use super::btf::{Btf, BtfError};

/// Everything that the running kernel's type information is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KernelLayout {
    /// Where the kernel programs find what they read.
    pub(crate) offsets: Offsets,
    /// The bit of [`SocketRecord::flags`](tracer_common::SocketRecord::flags) that says that the
    /// peer sent its FIN: one shifted by `enum sock_flags`' `SOCK_DONE`.
    pub(crate) done_flag: u64,
}

impl KernelLayout {
    /// Asks for everything at once.
    ///
    /// # Errors
    /// Names the first field that this kernel does not have.
    pub(crate) fn resolve(btf: &Btf<'_>) -> Result<Self, BtfError> {
        let offsets = Offsets::resolve(|Offset { structure, field }| btf.offset(structure, field))?;
        let done_bit = btf.enumerator("sock_flags", "SOCK_DONE")?;
        let done_flag = u32::try_from(done_bit).ok().and_then(|bit| 1_u64.checked_shl(bit));
        let done_flag = done_flag.ok_or(BtfError::Malformed("`SOCK_DONE` is no bit number"))?;
        Ok(Self { offsets, done_flag })
    }
}
