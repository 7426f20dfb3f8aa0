//! The offsets and constants of the running kernel that the programs and the decoder require.

use tracer_common::{Offset, Offsets};

use super::btf::{Btf, BtfError};

/// Everything that is resolved from the running kernel's BTF.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KernelLayout {
    /// The offsets that the BPF programs use.
    pub(crate) offsets: Offsets,
    /// The bit of [`SocketRecord::flags`](tracer_common::SocketRecord::flags) that is set once the
    /// peer's FIN was received: `1 << SOCK_DONE` of `enum sock_flags`.
    pub(crate) done_flag: u64,
}

impl KernelLayout {
    /// Resolves everything at once.
    ///
    /// # Errors
    /// Names the first type or field that this kernel does not have.
    pub(crate) fn resolve(btf: &Btf<'_>) -> Result<Self, BtfError> {
        let offsets = Offsets::resolve(|Offset { structure, field, otherwise }| {
            let offset = btf.offset(structure, field);
            match (offset, otherwise) {
                (Err(BtfError::NoField { .. }), Some(other)) => btf.offset(structure, other),
                (offset, _) => offset,
            }
        })?;
        let done_bit = btf.enumerator("sock_flags", "SOCK_DONE")?;
        let done_flag = u32::try_from(done_bit).ok().and_then(|bit| 1_u64.checked_shl(bit));
        let done_flag = done_flag.ok_or(BtfError::Malformed("`SOCK_DONE` is no bit number"))?;
        Ok(Self { offsets, done_flag })
    }
}
