/// The value of the map `STACK_TOPS`: registers and the innermost words of a user stack at the
/// entry of a system call.
///
/// `bpf_get_stackid` follows frame pointers, so it misses the caller of a function that keeps none,
/// such as a system call wrapper of the C library. The user side finds that caller's return address
/// among these words by the unwind tables of the library.
///
/// A stack id has two parts: the low [`PLACE_BITS`](Self::PLACE_BITS) bits are the slot in the map
/// `STACKS`, the others a hash of these words. The whole id is the key of `STACK_TOPS`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "user",
    derive(zerocopy::FromBytes, zerocopy::IntoBytes, zerocopy::Immutable, zerocopy::KnownLayout)
)]
#[repr(C)]
pub struct StackTop {
    /// `pt_regs.ip`: the address of the next instruction.
    pub instruction: u64,
    /// `pt_regs.sp`.
    pub stack_pointer: u64,
    /// The words on the stack from `stack_pointer` upwards; zeros if they could not be read.
    pub words: [u64; Self::WORDS],
}

impl StackTop {
    /// Number of words kept.
    pub const WORDS: usize = 16;
    /// Bits of a stack id that are the slot in the map `STACKS`.
    pub const PLACE_BITS: u32 = 13;
    /// Bits of a stack id that are the hash of the words: they distinguish tops above the same
    /// frames. Together with [`PLACE_BITS`](Self::PLACE_BITS) they leave the sign bit clear.
    pub const TOP_BITS: u32 = 31 - Self::PLACE_BITS;
}

const _: () = assert!(size_of::<StackTop>() == 8 * (2 + StackTop::WORDS));
