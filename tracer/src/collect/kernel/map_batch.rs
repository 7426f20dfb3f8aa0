//! Reading a hash map of the kernel's as a whole.

use std::{
    io,
    os::fd::{AsRawFd as _, BorrowedFd},
};

use zerocopy::{FromBytes, IntoBytes};

/// `BPF_MAP_LOOKUP_BATCH` of `include/uapi/linux/bpf.h`. Linux 5.6.
const LOOKUP_BATCH: libc::c_int = 24;
/// Entries asked for at a time: more than a bucket ever has, as buckets come whole.
const BATCH: u32 = 4096;

/// The `batch` of `union bpf_attr`.
#[repr(C)]
struct BatchAttributes {
    in_batch: u64,
    out_batch: u64,
    keys: u64,
    values: u64,
    count: u32,
    map: u32,
    element_flags: u64,
    flags: u64,
}

/// Every entry that is in the map from before the call until after it, once, and some of the
/// others.
///
/// Going from key to key does not do here: when the key at hand is removed, which happens all the
/// time, the kernel begins again with the first.
///
/// # Errors
/// The kernel refused.
pub(super) fn entries<K, V>(map: BorrowedFd<'_>) -> io::Result<Vec<(K, V)>>
where
    K: FromBytes + IntoBytes + Copy,
    V: FromBytes + IntoBytes + Copy,
{
    let mut entries = Vec::new();
    let mut keys = vec![K::new_zeroed(); BATCH as usize];
    let mut values = vec![V::new_zeroed(); BATCH as usize];
    // The number of a bucket.
    let (mut from, mut to) = (0_u32, 0_u32);
    let mut is_first = true;
    loop {
        let mut attributes = BatchAttributes {
            in_batch: if is_first { 0 } else { address(&raw mut from) },
            out_batch: address(&raw mut to),
            keys: address(keys.as_mut_ptr()),
            values: address(values.as_mut_ptr()),
            count: BATCH,
            map: map.as_raw_fd().cast_unsigned(),
            element_flags: 0,
            flags: 0,
        };
        // SAFETY: the structure begins as the kernel's does and its size is passed on. Its pointers
        // are to `BATCH` keys and values, whose sizes are the map's as the caller says, and to two
        // numbers, none of which anybody else uses during the call; the types allow any bytes.
        let result = unsafe {
            libc::syscall(
                libc::SYS_bpf,
                LOOKUP_BATCH,
                &raw mut attributes,
                size_of::<BatchAttributes>(),
            )
        };
        let error = (result < 0).then(io::Error::last_os_error);
        // At the end the kernel says that there is nothing more, together with the last entries.
        let is_last = error.as_ref().is_some_and(|it| it.raw_os_error() == Some(libc::ENOENT));
        if let Some(error) = error.filter(|_| !is_last) {
            return Err(error);
        }
        let count = attributes.count.min(BATCH) as usize;
        entries.extend(keys.iter().copied().zip(values.iter().copied()).take(count));
        if is_last {
            return Ok(entries);
        }
        (from, is_first) = (to, false);
    }
}

fn address<T>(pointer: *mut T) -> u64 {
    pointer.expose_provenance() as u64
}
