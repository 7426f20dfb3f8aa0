//! Reads or removes all entries of a hash map with a few system calls.

use std::{
    io,
    os::fd::{AsFd as _, AsRawFd as _},
};

use aya::{
    maps::{MapData, MapError, MapType},
    sys::SyscallError,
};
use zerocopy::{FromBytes, IntoBytes};

/// `BPF_MAP_LOOKUP_BATCH` of `include/uapi/linux/bpf.h`. Linux 5.6.
const LOOKUP_BATCH: libc::c_int = 24;
/// `BPF_MAP_LOOKUP_AND_DELETE_BATCH` of the same file. Linux 5.6.
const LOOKUP_AND_DELETE_BATCH: libc::c_int = 25;
/// Maximum memory for the values of one batch, in bytes.
const BATCH_BYTES: usize = 512 << 10;
/// Maximum number of entries requested at a time. The kernel copies whole buckets, and no bucket
/// has that many entries.
const BATCH_MAX: usize = 4096;

/// `batch` of `union bpf_attr`.
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

/// Returns, once each, every entry that is in the map from before the call until after it, and some
/// of those that are added or removed in the meantime.
///
/// `BPF_MAP_GET_NEXT_KEY` is not suitable: if the given key was removed in the meantime, which is
/// frequent, it starts again at the first key.
///
/// # Errors
/// The map is not a hash map of these keys and values, or the kernel refused.
pub(super) fn entries<K, V>(map: &MapData) -> Result<Vec<(K, V)>, MapError>
where
    K: FromBytes + IntoBytes + Copy,
    V: FromBytes + IntoBytes + Copy,
{
    let mut entries = Vec::new();
    each(map, LOOKUP_BATCH, &mut |key: K, value: &V| entries.push((key, *value)))?;
    Ok(entries)
}

/// Removes all entries and calls `each` with every one. Entries that are added in the meantime may
/// remain.
///
/// # Errors
/// As for [`entries`].
pub(super) fn take<K, V>(map: &MapData, each: &mut dyn FnMut(K, &V)) -> Result<(), MapError>
where
    K: FromBytes + IntoBytes + Copy,
    V: FromBytes + IntoBytes + Copy,
{
    self::each(map, LOOKUP_AND_DELETE_BATCH, each)
}

fn each<K, V>(
    map: &MapData,
    command: libc::c_int,
    each: &mut dyn FnMut(K, &V),
) -> Result<(), MapError>
where
    K: FromBytes + IntoBytes + Copy,
    V: FromBytes + IntoBytes + Copy,
{
    check_layout::<K, V>(map)?;
    let fd = map.fd().as_fd().as_raw_fd().cast_unsigned();
    let batch = (BATCH_BYTES / size_of::<V>()).min(BATCH_MAX);
    let mut keys = vec![K::new_zeroed(); batch];
    let mut values = vec![V::new_zeroed(); batch];
    // The bucket numbers at which this batch and the next one begin.
    let (mut from, mut to) = (0_u32, 0_u32);
    let mut is_first = true;
    loop {
        let mut attributes = BatchAttributes {
            in_batch: if is_first { 0 } else { address(&raw mut from) },
            out_batch: address(&raw mut to),
            keys: address(keys.as_mut_ptr()),
            values: address(values.as_mut_ptr()),
            count: u32::try_from(batch).unwrap_or(u32::MAX),
            map: fd,
            element_flags: 0,
            flags: 0,
        };
        // SAFETY: `BatchAttributes` has the layout of the kernel's structure, and its size is
        // passed. The kernel writes at most `count` keys and values, for which there is room:
        // `check_layout` has compared the map's sizes with those of `K` and `V`. The batch
        // positions of a hash map are `u32`. No reference to this memory is live during the call,
        // and any bytes are valid.
        let result = unsafe {
            libc::syscall(libc::SYS_bpf, command, &raw mut attributes, size_of::<BatchAttributes>())
        };
        let error = (result < 0).then(io::Error::last_os_error);
        // ENOENT means that this batch, which may contain entries, is the last one.
        let is_last = error.as_ref().is_some_and(|it| it.raw_os_error() == Some(libc::ENOENT));
        if let Some(io_error) = error.filter(|_| !is_last) {
            return Err(SyscallError { call: "bpf_map_lookup_batch", io_error }.into());
        }
        for (key, value) in keys.iter().zip(&values).take(attributes.count as usize) {
            each(*key, value);
        }
        if is_last {
            return Ok(());
        }
        (from, is_first) = (to, false);
    }
}

/// Checks that the map is a hash map whose keys and values have the sizes of `K` and `V`.
fn check_layout<K, V>(map: &MapData) -> Result<(), MapError> {
    let info = map.info()?;
    let map_type = info.map_type()?;
    // For a per-CPU map, the kernel would copy a value for each CPU.
    if map_type != MapType::Hash {
        return Err(MapError::InvalidMapType { map_type: map_type as u32 });
    }
    let (key, value) = (info.key_size() as usize, info.value_size() as usize);
    if size_of::<K>() != key {
        return Err(MapError::InvalidKeySize { size: size_of::<K>(), expected: key });
    }
    if size_of::<V>() != value {
        return Err(MapError::InvalidValueSize { size: size_of::<V>(), expected: value });
    }
    Ok(())
}

fn address<T>(pointer: *mut T) -> u64 {
    pointer.expose_provenance() as u64
}

#[cfg(test)]
#[cfg(feature = "root-tests")]
mod as_root {
    use std::collections::BTreeSet;

    use aya::maps::Map;

    use super::*;
    use crate::collect::kernel::{load::Kernel, object::KernelOptions};

    #[test]
    fn entries_are_read_if_the_sizes_are_the_map_s() {
        let options = KernelOptions { only_tracked: true, ..KernelOptions::default() };
        let mut kernel = Kernel::load(options).unwrap();
        let pids: Vec<u32> = (1..3_000).collect();
        kernel.set_pids(&pids).unwrap();
        let read = |name| match kernel.map(name).unwrap() {
            Map::HashMap(map) | Map::PerCpuArray(map) => map,
            other => panic!("{other:?}"),
        };
        let entries = entries::<u32, u8>(read("PIDS")).unwrap();
        assert!(entries.iter().all(|(_, value)| *value == 1));
        let read_pids: BTreeSet<u32> = entries.into_iter().map(|(pid, _)| pid).collect();
        assert_eq!(read_pids, pids.into_iter().collect());

        let error = super::entries::<u64, u8>(read("PIDS")).unwrap_err();
        assert!(matches!(error, MapError::InvalidKeySize { size: 8, expected: 4 }), "{error}");
        let error = super::entries::<u32, u32>(read("PIDS")).unwrap_err();
        assert!(matches!(error, MapError::InvalidValueSize { size: 4, expected: 1 }), "{error}");
        let error = super::entries::<u32, u64>(read("COUNTERS")).unwrap_err();
        assert!(matches!(error, MapError::InvalidMapType { .. }), "{error}");
    }
}
