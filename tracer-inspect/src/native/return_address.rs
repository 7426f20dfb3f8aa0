//! Whether what is said to be a return address is one.
//!
//! The kernel follows frame pointers. Code that is built without them uses the register for
//! something else, and then the words that are taken for addresses are whatever is there: data, the
//! beginnings of functions, what is left of calls that have long returned. A return address follows
//! a call. And who was called there, if the call says so, must have set up the frame that the
//! address was found in.

use crate::process::memory::Memory;

/// Bytes before a return address that are looked at: the longest call has seven.
const BEFORE: u64 = 8;
/// Bytes of a page, all of which can be read or none.
const PAGE: u64 = 4096;
/// Bytes at the beginning of a function in which it sets its frame up.
const PROLOGUE: usize = 96;
/// Most jumps from a call to what is called: through a linkage table and a stub or two.
const JUMPS_MAX: usize = 4;

/// The instruction before an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Before {
    /// A call of what is at this address.
    Call(u64),
    /// A call of what a register or memory says.
    IndirectCall,
    Other,
}

/// Whether there is a call before the address. `is_native`: of a function that must keep frame
/// pointers, unlike what a runtime puts together as it likes.
pub fn is_plausible(memory: &dyn Memory, address: u64, is_native: bool) -> bool {
    // The beginning of what is mapped may be near.
    let in_page = (address & (PAGE - 1)).clamp(1, BEFORE);
    let before =
        |length: u64| memory.read_one(address.wrapping_sub(length), usize::try_from(length).ok()?);
    let Some(bytes) = before(BEFORE).or_else(|| before(in_page)) else { return false };
    let before = if cfg!(target_arch = "aarch64") {
        before_on_arm64(&bytes, address)
    } else {
        before_on_amd64(&bytes, address)
    };
    match before {
        Before::Call(target) if is_native && cfg!(target_arch = "x86_64") => {
            keeps_frame_pointer(memory, target)
        }
        Before::Call(_) | Before::IndirectCall => true,
        Before::Other => false,
    }
}

/// The instructions of amd64 are of different lengths, so that what precedes is known only by how
/// it ends.
fn before_on_amd64(bytes: &[u8], address: u64) -> Before {
    if let [.., 0xe8, a, b, c, d] = bytes {
        let distance = i32::from_le_bytes([*a, *b, *c, *d]);
        return Before::Call(address.wrapping_add_signed(distance.into()));
    }
    // `FF /2`: the mode, the register and the operand are in ModRM, SIB and what follows.
    let is_call = |modrm: u8| modrm >> 3 & 7 == 2;
    let (mode, register) = (|modrm: u8| modrm >> 6, |modrm: u8| modrm & 7);
    let is_indirect = match *bytes {
        [.., 0xff, modrm]
            if is_call(modrm)
                && (mode(modrm) == 3 || mode(modrm) == 0 && !matches!(register(modrm), 4 | 5)) =>
        {
            true
        }
        [.., 0xff, modrm, last] if is_call(modrm) => {
            mode(modrm) == 0 && register(modrm) == 4 && last & 7 != 5
                || mode(modrm) == 1 && register(modrm) != 4
        }
        _ => false,
    };
    let is_longer = || match *bytes {
        [.., 0xff, modrm, _, _] if is_call(modrm) => mode(modrm) == 1 && register(modrm) == 4,
        _ => false,
    };
    let is_long = || match *bytes {
        [.., 0xff, modrm, _, _, _, _] if is_call(modrm) => {
            mode(modrm) == 0 && register(modrm) == 5 || mode(modrm) == 2 && register(modrm) != 4
        }
        _ => false,
    };
    let is_longest = || match *bytes {
        [.., 0xff, modrm, base, _, _, _, _] if is_call(modrm) => {
            register(modrm) == 4 && (mode(modrm) == 2 || mode(modrm) == 0 && base & 7 == 5)
        }
        _ => false,
    };
    if is_indirect || is_longer() || is_long() || is_longest() {
        Before::IndirectCall
    } else {
        Before::Other
    }
}

/// `BL` and `BLR`, with or without authentication of the pointer.
fn before_on_arm64(bytes: &[u8], address: u64) -> Before {
    let Some(instruction) = bytes.last_chunk().map(|bytes| u32::from_le_bytes(*bytes)) else {
        return Before::Other;
    };
    if instruction >> 26 == 0b10_0101 {
        let distance = (instruction << 6).cast_signed() >> 4;
        let call = address.wrapping_sub(4);
        return Before::Call(call.wrapping_add_signed(distance.into()));
    }
    let is_register = instruction & 0xffff_fc1f == 0xd63f_0000;
    let is_authenticated = instruction & 0xfeff_f800 == 0xd63f_0800;
    if is_register || is_authenticated { Before::IndirectCall } else { Before::Other }
}

/// Whether the function at an address of an amd64 process, or the one that it jumps to, sets up
/// the frame pointer: `mov rbp, rsp` or `lea rbp, [rsp+N]` near its beginning.
fn keeps_frame_pointer(memory: &dyn Memory, mut function: u64) -> bool {
    for _ in 0..JUMPS_MAX {
        // The end of what is mapped may be near.
        let code = [PROLOGUE, 32, 16].into_iter().find_map(|it| memory.read_one(function, it));
        let Some(code) = code else { return false };
        match jump(memory, &code, function) {
            Some(next) => function = next,
            None => {
                return code.windows(4).any(|bytes| {
                    matches!(
                        bytes,
                        [0x48, 0x89, 0xe5, _]
                            | [0x48, 0x8b, 0xec, _]
                            | [0x48, 0x8d, 0x6c | 0xac, 0x24]
                    )
                });
            }
        }
    }
    false
}

/// Where code goes that does nothing but jump: an entry of a linkage table, or a stub.
fn jump(memory: &dyn Memory, code: &[u8], address: u64) -> Option<u64> {
    let mut rest = code.strip_prefix(&[0xf3, 0x0f, 0x1e, 0xfa]).unwrap_or(code);
    rest = rest.strip_prefix(&[0xf2]).unwrap_or(rest);
    let (length, distance) = match rest {
        [0xff, 0x25, distance @ ..] => (6, distance),
        [0xe9, distance @ ..] => (5, distance),
        _ => return None,
    };
    let skipped = (code.len() - rest.len()) as u64;
    let next = address.wrapping_add(skipped).wrapping_add(length);
    let target = next.wrapping_add_signed(i32::from_le_bytes(*distance.first_chunk()?).into());
    if length == 5 {
        return Some(target);
    }
    let pointer = memory.read_one(target, 8)?;
    Some(u64::from_le_bytes(*pointer.first_chunk()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::memory::fake::FakeMemory;

    fn on_amd64(end: &[u8]) -> Before {
        let mut bytes = vec![0x90; 8 - end.len()];
        bytes.extend(end);
        before_on_amd64(&bytes, 0x1000)
    }

    #[test]
    fn calls_of_amd64_are_told_from_other_instructions() {
        // As an assembler has them.
        for call in [
            &[0xff, 0xd0][..],
            &[0x41, 0xff, 0xd7],
            &[0xff, 0x10],
            &[0xff, 0x14, 0xd8],
            &[0xff, 0x50, 0x18],
            &[0xff, 0x54, 0x24, 0x08],
            &[0xff, 0x15, 0x10, 0x20, 0x30, 0x00],
            &[0xff, 0x90, 0x00, 0x01, 0x00, 0x00],
            &[0xff, 0x94, 0x24, 0x00, 0x01, 0x00, 0x00],
            &[0xff, 0x14, 0xc5, 0x00, 0x10, 0x00, 0x00],
        ] {
            assert_eq!(on_amd64(call), Before::IndirectCall, "{call:x?}");
        }
        assert_eq!(on_amd64(&[0xe8, 0xfb, 0xff, 0xff, 0xff]), Before::Call(0xffb));
        // A jump, a return and padding, `push [rax]`, `inc eax`.
        for other in [
            &[0xff, 0xe0][..],
            &[0xc3, 0x90],
            &[0xcc, 0xcc],
            &[0xff, 0x30],
            &[0xff, 0xc0],
            &[0xff, 0x25, 0x10, 0x20, 0x30, 0x00],
        ] {
            assert_eq!(on_amd64(other), Before::Other, "{other:x?}");
        }
    }

    #[test]
    fn calls_of_arm64_are_told_from_other_instructions() {
        let before = |instruction: u32| {
            let bytes: Vec<u8> =
                [0xd503_201f, instruction].iter().flat_map(|it: &u32| it.to_le_bytes()).collect();
            before_on_arm64(&bytes, 0x1000)
        };
        assert_eq!(before(0x9400_0001), Before::Call(0x1000), "bl .+4");
        assert_eq!(before(0x97ff_ffff), Before::Call(0xff8), "bl .-4");
        assert_eq!(before(0xd63f_0200), Before::IndirectCall, "blr x16");
        assert_eq!(before(0xd73f_0a11), Before::IndirectCall, "blraa x16, x17");
        assert_eq!(before(0xd63f_0a1f), Before::IndirectCall, "blraaz x16");
        for other in [0x1400_0001, 0xd61f_0200, 0xd65f_03c0, 0] {
            assert_eq!(before(other), Before::Other, "{other:x}");
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn who_was_called_must_keep_frame_pointers() {
        /// A call at 0x1000 of what is here, with its return address after it.
        const FUNCTION: u64 = 0x1105;
        let with = |function: &[u8]| {
            let mut memory = FakeMemory::default();
            memory.put(0xf00, &[0; 512]);
            memory.put_bytes(0x1000, &[0xe8, 0x00, 0x01, 0x00, 0x00, 0x90, 0x90, 0x90]);
            // Where a linkage table finds the function.
            memory.put(0x1400, &[0x1500]);
            memory.put_bytes(0x1500, &[0x55, 0x48, 0x89, 0xe5]);
            let mut bytes = vec![0; 5];
            bytes.extend(function);
            memory.put_bytes(FUNCTION - 5, &bytes);
            let is = |is_native| is_plausible(&memory, 0x1005, is_native);
            (is(true), is(false))
        };
        let keeps = [0xf3, 0x0f, 0x1e, 0xfa, 0x55, 0x48, 0x89, 0xe5];
        assert_eq!(with(&keeps), (true, true));
        assert_eq!(with(&[0x53, 0x48, 0x83, 0xec, 0x20]), (false, true), "push rbx; sub rsp, 32");
        // `endbr64; bnd jmp [rip+N]`, and a jump on.
        let distance = 0x1400 - (FUNCTION + 11);
        let mut table = vec![0xf3, 0x0f, 0x1e, 0xfa, 0xf2, 0xff, 0x25];
        table.extend(u32::try_from(distance).unwrap().to_le_bytes());
        assert_eq!(with(&table), (true, true));
        let mut onward = vec![0xe9];
        onward.extend(u32::try_from(0x1500 - (FUNCTION + 5)).unwrap().to_le_bytes());
        assert_eq!(with(&onward), (true, true));
        assert_eq!(with(&[0xe9, 0xfb, 0xff, 0xff, 0xff]), (false, true), "a jump to itself");
        let mut nowhere = vec![0xff, 0x25];
        nowhere.extend(0x7000_0000_u32.to_le_bytes());
        assert_eq!(with(&nowhere), (false, true));
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn a_call_at_the_beginning_of_what_is_mapped_is_one() {
        let mut memory = FakeMemory::default();
        memory.put(0x1000, &[0]);
        memory.put_bytes(0x1000, &[0xff, 0xd7]);
        assert!(is_plausible(&memory, 0x1002, false));
        assert!(!is_plausible(&memory, 0x1000, false) && !is_plausible(&memory, 0x1001, false));
    }

    #[test]
    fn what_cannot_be_read_is_no_address() {
        let memory = FakeMemory::default();
        for address in [0, 1, 0x1000, u64::MAX] {
            assert!(!is_plausible(&memory, address, true));
        }
    }
}
