//! The best place for a hook in a Go function.

/// As much of a function as [`after_stack_check`] looks at, in bytes.
pub(super) const PROLOGUE: usize = 24;

/// How many bytes into a function's code the check is over that every function with a stack frame
/// begins with: whether there is room for it. If not, the function begins again on a larger stack,
/// and so would a hook at its very first instruction. The arguments are still where they were.
///
/// What follows the check since Go 1.21, `PUSHQ BP`, the kernel does in the place of the program,
/// which takes one trap where most instructions take two. `None` where the code is not known for
/// what it is: on arm64, and in functions with frames of hundreds of kilobytes.
pub(super) fn after_stack_check(code: &[u8]) -> Option<u64> {
    let (compared, rest) = match code {
        // CMPQ SP, 16(R14)
        [0x49, 0x3b, 0x66, 0x10, rest @ ..] => (4, rest),
        // LEAQ -frame(SP), R12; CMPQ R12, 16(R14)
        [0x4c, 0x8d, 0x64, 0x24, _, 0x4d, 0x3b, 0x66, 0x10, rest @ ..] => (9, rest),
        [0x4c, 0x8d, 0xa4, 0x24, _, _, _, _, 0x4d, 0x3b, 0x66, 0x10, rest @ ..] => (12, rest),
        _ => return None,
    };
    // JBE, near or far.
    match rest {
        [0x76, _, _, ..] => Some(compared + 2),
        [0x0f, 0x86, _, _, _, _, _, ..] => Some(compared + 6),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_prologues_of_go_are_known() {
        for (version_and_function, code, expected) in [
            (
                "1.19 (*persistConn).roundTrip",
                "4c8da424d0fdffff 4d3b6610 0f86c30e0000 4881ecb0020000",
                Some(18),
            ),
            (
                "1.21 (*persistConn).closeLocked",
                "493b6610 0f8689010000 55 4889e5 4883ec78",
                Some(10),
            ),
            ("1.23 (*http2clientStream).doRequest", "493b6610 7666 55 4889e5 4883ec18", Some(6)),
            ("a frame of 200 bytes", "4c8d6424b8 4d3b6610 7620 55 4889e5", Some(11)),
            ("without a frame", "488b4008 c3", None),
            ("cut", "493b6610 7666", None),
            ("nothing", "", None),
        ] {
            let code: Vec<u8> = code
                .replace(' ', "")
                .as_bytes()
                .chunks(2)
                .map(|digits| u8::from_str_radix(str::from_utf8(digits).unwrap(), 16).unwrap())
                .collect();
            assert_eq!(after_stack_check(&code), expected, "{version_and_function}");
        }
    }
}
