//! Types of `tracer-common` as map keys, map values and globals of aya.

use aya::Pod;
use zerocopy::{FromBytes, IntoBytes};

/// A value that aya may copy as bytes in both directions.
///
/// zerocopy's traits, derived in `tracer-common`, check at compile time what [`Pod`] requires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub(super) struct AsPod<T>(pub(super) T);

// SAFETY: `IntoBytes` guarantees that `T` has no padding, so that all of its bytes may be passed to
// the kernel, and `FromBytes` that any bytes from the kernel are a valid `T`.
unsafe impl<T: FromBytes + IntoBytes + Copy + 'static> Pod for AsPod<T> {}
