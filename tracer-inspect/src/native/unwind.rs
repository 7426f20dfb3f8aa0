//! Finds the caller of the innermost function through the unwind tables (`.eh_frame`, DWARF 5
//! section 6.4), for code without frame pointers.
//!
//! The kernel follows frame pointers. At a system call the innermost function belongs to the C
//! library, which is built without them, so the caller is missing from the recorded frames. The
//! unwind tables give the distance of the return address from the top of the stack.

use std::{
    fs::File,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
};

use gimli::{
    BaseAddresses, CfaRule, EhFrame, EndianSlice, LittleEndian, UnwindContext, UnwindSection as _,
    X86_64,
};
use object::{Object as _, ObjectSection as _, ObjectSegment as _, ReadCache};
use tracer_common::StackTop;

use crate::process::maps::Mapping;

/// Maximum size of `.eh_frame` in bytes.
const TABLE_MAX: u64 = 64 << 20;

/// The return address of the innermost function; `None` if the tables do not say where it is, or if
/// the recorded words of the stack do not include it.
pub fn return_address(pid: u32, mapping: &Mapping, top: &StackTop) -> Option<u64> {
    let (path, _) = mapping.file(pid)?;
    let offset = mapping.offset_in_file(top.instruction)?;
    // The watched process controls the file, so a panic of the parser must be contained.
    let distance = catch_unwind(AssertUnwindSafe(|| distance(&path, offset))).ok()??;
    let index = distance.checked_sub(8).filter(|it| it.is_multiple_of(8))? / 8;
    top.words.get(usize::try_from(index).ok()?).copied().filter(|&word| word != 0)
}

/// Distance in bytes from the stack pointer to the canonical frame address of the function whose code
/// is at a file offset; `None` if the tables do not say, or if they use another register.
pub fn distance(path: &Path, offset: u64) -> Option<u64> {
    let cache = ReadCache::new(File::open(path).ok()?);
    let file = object::File::parse(&cache).ok()?;
    let address = file.segments().find_map(|segment| {
        let (start, length) = segment.file_range();
        let within = offset.checked_sub(start).filter(|&it| it < length)?;
        segment.address().checked_add(within)
    })?;
    let section = file.section_by_name(".eh_frame")?;
    if section.size() > TABLE_MAX {
        return None;
    }
    let data = section.data().ok()?;
    let mut table = EhFrame::from(EndianSlice::new(data, LittleEndian));
    table.set_address_size(8);
    let bases = BaseAddresses::default().set_eh_frame(section.address());
    let mut context = UnwindContext::new();
    let row = table
        .unwind_info_for_address(&bases, &mut context, address, EhFrame::cie_from_offset)
        .ok()?;
    match row.cfa() {
        CfaRule::RegisterAndOffset { register: X86_64::RSP, offset } => u64::try_from(*offset).ok(),
        _ => None,
    }
}
