//! The offset in a Go function at which a uprobe is cheapest.

use std::{fs::File, os::unix::fs::FileExt as _};

use super::LedgerHook;

/// Number of bytes of a function that [`hook_offset`] needs.
const PROLOGUE: usize = 24;

/// Moves each hook from the entry of its function to the instruction at which a uprobe is cheapest;
/// see [`hook_offset`].
pub(crate) fn at_cheapest_instructions(
    file: &File,
    mut hooks: Vec<(LedgerHook, u64)>,
) -> Vec<(LedgerHook, u64)> {
    for (_, offset) in &mut hooks {
        let mut code = [0; PROLOGUE];
        if file.read_exact_at(&mut code, *offset).is_ok() {
            *offset = offset.saturating_add(hook_offset(&code).unwrap_or(0));
        }
    }
    hooks
}

/// The offset in bytes at which a uprobe is cheapest and the arguments are still in their
/// registers. Every function with a stack frame begins with a check of the stack bound.
///
/// For most instructions a uprobe takes two traps: the breakpoint, and a single step of the copied
/// instruction. The kernel emulates a few instructions (`arch/x86/kernel/uprobes.c`): `PUSHQ BP`,
/// which follows the check since Go 1.21, and the conditional jump at the end of the check. The
/// former is better: if the stack is too small, the function starts again on a larger one, and a
/// uprobe within the check fires twice.
///
/// `None` if the code is not recognized: on arm64, and in functions with frames of hundreds of
/// kilobytes.
fn hook_offset(code: &[u8]) -> Option<u64> {
    let (jump, rest) = match code {
        // CMPQ SP, 16(R14)
        [0x49, 0x3b, 0x66, 0x10, rest @ ..] => (4, rest),
        // LEAQ -frame(SP), R12; CMPQ R12, 16(R14)
        [0x4c, 0x8d, 0x64, 0x24, _, 0x4d, 0x3b, 0x66, 0x10, rest @ ..] => (9, rest),
        [0x4c, 0x8d, 0xa4, 0x24, _, _, _, _, 0x4d, 0x3b, 0x66, 0x10, rest @ ..] => (12, rest),
        _ => return None,
    };
    // JBE, near or far; PUSHQ BP.
    match rest {
        [0x76, _, 0x55, ..] => Some(jump + 2),
        [0x0f, 0x86, _, _, _, _, 0x55, ..] => Some(jump + 6),
        [0x76, ..] | [0x0f, 0x86, ..] => Some(jump),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prologues_of_go_are_recognized() {
        for (version_and_function, code, expected) in [
            (
                "1.19 (*persistConn).roundTrip",
                "4c8da424d0fdffff 4d3b6610 0f86c30e0000 4881ecb0020000",
                Some(12),
            ),
            (
                "1.21 (*persistConn).closeLocked",
                "493b6610 0f8689010000 55 4889e5 4883ec78",
                Some(10),
            ),
            ("1.23 (*http2clientStream).doRequest", "493b6610 7666 55 4889e5 4883ec18", Some(6)),
            ("a frame of 200 bytes", "4c8d6424b8 4d3b6610 7620 55 4889e5", Some(11)),
            ("1.19 with a small frame", "493b6610 7666 4883ec18", Some(4)),
            ("without a frame", "488b4008 c3", None),
            ("truncated", "493b6610", None),
            ("empty", "", None),
        ] {
            let code: Vec<u8> = code
                .replace(' ', "")
                .as_bytes()
                .chunks(2)
                .map(|digits| u8::from_str_radix(str::from_utf8(digits).unwrap(), 16).unwrap())
                .collect();
            assert_eq!(hook_offset(&code), expected, "{version_and_function}");
        }
    }
}
