//! `runtime.allgs`, the slice of pointers to all goroutines (`runtime/proc.go`).

use super::{
    executable::Executable, function_table::FunctionTable, goroutine::Goroutine, layout::Layout,
};
use crate::process::{
    maps::Mappings,
    memory::{Memory, u64_at},
};

/// Maximum plausible number of goroutines: at 2 KiB of stack each, 128 GiB.
const COUNT_MAX: u64 = 1 << 26;
/// Number of entries checked to recognize the list.
const SAMPLE: u64 = 16;
/// Maximum number of bytes read of a function. `runtime.allgadd` has about 300.
const CODE_MAX: u64 = 4096;

/// Start address and length of the slice at `address`; `None` if it cannot be one.
pub(super) fn list(memory: &dyn Memory, mappings: &Mappings, address: u64) -> Option<(u64, u64)> {
    let slice = memory.read_one(address, 24)?;
    let (start, length, capacity) = (u64_at(&slice, 0)?, u64_at(&slice, 8)?, u64_at(&slice, 16)?);
    let is_sane = length >= 1
        && length <= capacity
        && capacity <= COUNT_MAX
        && start.is_multiple_of(8)
        && mappings.is_heap(start);
    is_sane.then_some((start, length))
}

/// Whether the first entries of the slice at `address` are goroutines.
pub(super) fn is_plausible(
    memory: &dyn Memory,
    mappings: &Mappings,
    layout: &Layout,
    address: u64,
) -> bool {
    let Some((start, length)) = list(memory, mappings, address) else { return false };
    let goroutines = Goroutine::read_list(memory, layout, start, length.min(SAMPLE));
    let is_sane =
        |goroutine: &Option<Goroutine>| goroutine.is_some_and(|it| it.is_plausible(mappings));
    !goroutines.is_empty()
        && goroutines.iter().all(is_sane)
        && goroutines.iter().flatten().any(|goroutine| goroutine.stack.low != 0)
}

/// The addresses in writable segments to which the code of these functions refers, in the order of
/// the functions. The code of `runtime.allgadd` refers to `runtime.allgs`, which finds it in a
/// program without symbols.
pub(super) fn data_operands(
    executable: &Executable,
    functions: &FunctionTable,
    memory: &dyn Memory,
    bias: u64,
    names: &[&str],
) -> Vec<u64> {
    let found = functions.find(memory, bias, names).into_iter().flatten();
    let operands = found.filter_map(|number| functions.code(number)).flat_map(|(start, end)| {
        let length = usize::try_from(end.saturating_sub(start).min(CODE_MAX)).unwrap_or(0);
        let code = memory.read_one(start.wrapping_add(bias), length).unwrap_or_default();
        relative_operands(&code, start)
    });
    operands.filter(|address| executable.is_data(*address)).collect()
}

/// The targets of RIP-relative operands, found without decoding instructions: a ModRM byte with
/// mode 0 and register 5, followed by a displacement of four bytes. Some results are accidental
/// matches.
fn relative_operands(code: &[u8], start: u64) -> Vec<u64> {
    let next = (5..).map(|length| start.wrapping_add(length));
    let distances = code.windows(5).zip(next).filter_map(|(bytes, next)| match bytes {
        [mode, distance @ ..] if mode & 0xc7 == 0x05 => {
            let distance = i32::from_le_bytes(*distance.first_chunk()?);
            Some(next.wrapping_add_signed(distance.into()))
        }
        _ => None,
    });
    let mut operands: Vec<u64> = distances.filter(|address| address.is_multiple_of(8)).collect();
    operands.sort_unstable();
    operands.dedup();
    operands
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operands_are_found_in_code() {
        // mov rcx, [rip+0x100]; lea rax, [rip-8]; nop
        let code = [0x48, 0x8b, 0x0d, 0, 1, 0, 0, 0x48, 0x8d, 0x05, 0xf8, 0xff, 0xff, 0xff, 0x90];
        // The first ends at 0x1009, the second at 0x1010.
        assert_eq!(relative_operands(&code, 0x1001 + 1), [0x1008]);
        assert_eq!(relative_operands(&code, 0x1001), [0x1108]);
        assert_eq!(relative_operands(&code[..6], 0x1001), [0; 0]);
    }
}
