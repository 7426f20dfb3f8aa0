//! Finds the caller of the innermost function through the unwind tables (`.eh_frame`, DWARF 5
//! section 6.4), for code without frame pointers.
//!
//! The kernel follows frame pointers. At a system call the innermost function belongs to the C
//! library, which is built without them, so the caller is missing from the recorded frames. The
//! unwind tables give the distance of the return address from the top of the stack.

use std::{
    fs::File,
    panic::{AssertUnwindSafe, catch_unwind},
};

use gimli::{
    BaseAddresses, CfaRule, CommonInformationEntry, EhFrame, EhFrameOffset, EndianSlice, Error,
    LittleEndian, UnwindContext, UnwindSection as _, X86_64,
};
use tracer_common::StackTop;

use crate::{
    budget::Budget,
    elf::Elf,
    process::{maps::Mapping, memory::u32_at},
};

/// Maximum size of `.eh_frame` in bytes.
const TABLE_MAX: u64 = 32 << 20;
/// Maximum size of an entry in bytes. Its instructions are executed up to the address.
const ENTRY_MAX: usize = 64 << 10;
/// Maximum size of a CIE in bytes. It is parsed for every entry that refers to it.
const CIE_MAX: usize = 1 << 10;

type Slice<'a> = EndianSlice<'a, LittleEndian>;

/// The return address of the innermost function; `None` if the tables do not say where it is, or if
/// the recorded words of the stack do not include it.
pub fn return_address(pid: u32, mapping: &Mapping, top: &StackTop, budget: &Budget) -> Option<u64> {
    let (file, _) = mapping.open(pid, budget)?;
    let offset = mapping.offset_in_file(top.instruction)?;
    // The watched process controls the file, so a panic of the parser must be contained.
    let distance = catch_unwind(AssertUnwindSafe(|| distance(file, offset, budget))).ok()??;
    let index = distance.checked_sub(8).filter(|it| it.is_multiple_of(8))? / 8;
    top.words.get(usize::try_from(index).ok()?).copied().filter(|&word| word != 0)
}

/// Distance in bytes from the stack pointer to the canonical frame address of the function whose code
/// is at a file offset; `None` if the tables do not say, or if they use another register.
pub fn distance(file: File, offset: u64, budget: &Budget) -> Option<u64> {
    let elf = Elf::parse(file, budget)?;
    let address = elf.address_of(offset)?;
    let section = elf.section(".eh_frame")?;
    let content = elf.content(section, TABLE_MAX, budget).ok()?;
    let mut table = EhFrame::from(EndianSlice::new(&content.bytes, LittleEndian));
    table.set_address_size(8);
    let bases = BaseAddresses::default().set_eh_frame(section.address);
    let entry = table.fde_for_address(&bases, address, |table, bases, offset| {
        cie(table, bases, &content.bytes, offset, budget)
    });
    let entry = entry.ok()?;
    if entry.entry_len() > ENTRY_MAX {
        return None;
    }
    let mut unwinding = UnwindContext::new();
    let row = entry.unwind_info_for_address(&table, &bases, &mut unwinding, address).ok()?;
    match row.cfa() {
        CfaRule::RegisterAndOffset { register: X86_64::RSP, offset } => u64::try_from(*offset).ok(),
        _ => None,
    }
}

/// The CIE at an offset of `.eh_frame`, which is parsed once for every entry that refers to it.
fn cie<'a>(
    table: &EhFrame<Slice<'a>>,
    bases: &BaseAddresses,
    bytes: &[u8],
    offset: EhFrameOffset,
    budget: &Budget,
) -> gimli::Result<CommonInformationEntry<Slice<'a>>> {
    let length = budget.step(16).and_then(|()| u32_at(bytes, offset.0));
    let length = length.and_then(|length| usize::try_from(length).ok());
    // Each byte may be a letter of its augmentation.
    match length.filter(|length| *length <= CIE_MAX && budget.step_bytes(*length).is_some()) {
        Some(_) => table.cie_from_offset(bases, offset),
        _ => Err(Error::NoUnwindInfoForAddress),
    }
}
