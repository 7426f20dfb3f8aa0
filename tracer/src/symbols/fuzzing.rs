use std::{os::fd::AsRawFd as _, path::Path};

use super::{perf_map::PerfMap, unwind};
use crate::fuzzing::file_of;

/// Where in the file the code is, in eight bytes, and the file.
pub(crate) fn unwind_tables(bytes: &[u8]) {
    let Some((offset, file)) = bytes.split_first_chunk() else { return };
    let file = file_of(file);
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    unwind::distance(Path::new(&path), u64::from_le_bytes(*offset));
}

/// What a runtime says of the code that it made.
pub(crate) fn perf_map(bytes: &[u8]) {
    let map = PerfMap::parse(String::from_utf8_lossy(bytes).into_owned());
    for address in [0, 0x1000, 0x1048, 0x7f1f_c210_0000, u64::MAX] {
        map.frame(address);
    }
}
