/// The key of the map `STACKS`: a user stack, identified by its content.
///
/// An entry that was removed and added again has the same key and the same content, so a key never
/// refers to the wrong stack, even if user space reads the map late.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(
    feature = "user",
    derive(zerocopy::FromBytes, zerocopy::IntoBytes, zerocopy::Immutable, zerocopy::KnownLayout)
)]
#[repr(C)]
pub struct StackKey {
    /// [`StackRecord::hash`]; [`NO_STACK`] in records that have no stack.
    pub hash: u64,
    /// Process id (thread group) in the tracer's pid namespace.
    pub pid: u32,
    /// Explicit padding, zero.
    pub padding: u32,
}

/// The hash in a record whose stack was not requested or not kept. No stack has it.
pub const NO_STACK: u64 = 0;

impl StackKey {
    /// The key of a stack of this process; `None` for [`NO_STACK`].
    pub const fn new(pid: u32, hash: u64) -> Option<Self> {
        if hash == NO_STACK { None } else { Some(Self { hash, pid, padding: 0 }) }
    }
}

/// The value of the map `STACKS`: a user stack at the entry of a system call or at a uprobe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "user",
    derive(zerocopy::FromBytes, zerocopy::IntoBytes, zerocopy::Immutable, zerocopy::KnownLayout)
)]
#[repr(C)]
pub struct StackRecord {
    /// The number of `addresses` that are part of the stack. The rest are left over from earlier
    /// stacks.
    pub depth: u32,
    /// 1: `top` is part of the stack. 0: its content is left over from an earlier stack.
    pub has_top: u32,
    /// The innermost words of the stack.
    pub top: StackTop,
    /// The instruction pointer, followed by the return addresses that the kernel found by frame
    /// pointers (`bpf_get_stack`), innermost first.
    pub addresses: [u64; Self::DEPTH_MAX],
}

impl StackRecord {
    /// Maximum number of addresses of a stack: `PERF_MAX_STACK_DEPTH` of
    /// `include/uapi/linux/perf_event.h`.
    pub const DEPTH_MAX: usize = 127;

    /// The addresses of the stack, innermost first.
    pub fn frames(&self) -> &[u64] {
        let depth = usize::try_from(self.depth).unwrap_or(usize::MAX);
        self.addresses.get(..depth).unwrap_or(&self.addresses)
    }

    /// The top of the stack, if it was recorded.
    pub fn top(&self) -> Option<StackTop> {
        (self.has_top == 1).then_some(self.top)
    }

    /// The hash in the key of this stack: of the addresses, then of the words of the top, if there
    /// is one.
    pub fn hash(&self) -> u64 {
        let frames = self.frames().iter().fold(StackHash::default(), |hash, &it| hash.with(it));
        let words = self.top().into_iter().flat_map(|top| top.words);
        words.fold(frames, StackHash::with).finish()
    }
}

/// The hash of a stack while it is being computed. It only has to distinguish the stacks of one
/// process.
#[derive(Clone, Copy, Debug, Default)]
pub struct StackHash(u64);

impl StackHash {
    /// Adds one word.
    #[must_use]
    #[inline]
    pub const fn with(self, word: u64) -> Self {
        Self((self.0.rotate_left(23) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    /// The hash, which is not [`NO_STACK`].
    #[inline]
    pub const fn finish(self) -> u64 {
        // The low bits depend on few of the words.
        let hash = self.0 ^ (self.0 >> 32);
        if hash == NO_STACK { 1 } else { hash }
    }
}

/// The instruction pointer and the innermost words of a user stack at the entry of a system call.
///
/// `bpf_get_stack` follows frame pointers, so it misses the caller of a function that keeps none,
/// such as a system call wrapper of the C library. User space finds that caller's return address
/// among these words by the unwind tables of the library.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "user",
    derive(zerocopy::FromBytes, zerocopy::IntoBytes, zerocopy::Immutable, zerocopy::KnownLayout)
)]
#[repr(C)]
pub struct StackTop {
    /// `pt_regs.ip`: the address of the next instruction.
    pub instruction: u64,
    /// The words on the stack from `pt_regs.sp` upwards; zeros if they could not be read.
    pub words: [u64; Self::WORDS],
}

impl StackTop {
    /// Number of words kept.
    pub const WORDS: usize = 16;
}

const _: () = assert!(size_of::<StackKey>() == 16);
const _: () = assert!(size_of::<StackTop>() == 8 * (1 + StackTop::WORDS));
const _: () =
    assert!(size_of::<StackRecord>() == 8 + size_of::<StackTop>() + 8 * StackRecord::DEPTH_MAX);
