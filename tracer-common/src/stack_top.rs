/// The value of the map `STACK_TOPS`: what a thread was about when it entered the kernel. Frame
/// pointers do not lead to who called a function that keeps none, such as the C library's own
/// system calls; that is found among these words by the unwind tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct StackTop {
    /// `pt_regs.ip`: the next instruction.
    pub instruction: u64,
    /// `pt_regs.sp`.
    pub stack_pointer: u64,
    /// The words on the stack from there on; zeros if they could not be read.
    pub words: [u64; Self::WORDS],
}

impl StackTop {
    /// Words that are kept.
    pub const WORDS: usize = 16;
    /// The bits of a stack's number that are its place in the map `STACKS`; the others tell tops
    /// apart that have the same frames below them.
    pub const PLACE_BITS: u32 = 13;
    /// As many bits as tell tops apart, so that a number is never negative.
    pub const TOP_BITS: u32 = 31 - Self::PLACE_BITS;
}

const _: () = assert!(size_of::<StackTop>() == 8 * (2 + StackTop::WORDS));
