//! The build information in every Go program, including stripped ones (`debug/buildinfo`).

/// The first bytes of build information.
pub(super) const MAGIC: &[u8; 14] = b"\xff Go buildinf:";
/// Alignment of build information in bytes.
pub(super) const ALIGNMENT: usize = 16;
/// Size of the header in bytes. In the format of Go 1.18 and later, the version follows.
const HEADER: usize = 32;
/// The flag of that format: `flagsVersionInl`.
const INLINE: u8 = 2;

/// The minor version of Go 1 that built a program, from bytes that begin with build information.
/// `None` if they do not, or if it is older than Go 1.18.
pub fn minor_version(bytes: &[u8]) -> Option<u32> {
    if !bytes.starts_with(MAGIC) || bytes.get(15)? & INLINE == 0 {
        return None;
    }
    let length = *bytes.get(HEADER)?;
    let text = if length < 0x80 {
        bytes.get(HEADER + 1..)?.get(..usize::from(length))?
    } else {
        // The varint of the length has two bytes: the version has more than 127, whose start suffices.
        bytes.get(HEADER + 2..)?.get(..127)?
    };
    parse(&String::from_utf8_lossy(text))
}

/// Parses versions such as `go1.23.4`, `go1.27rc1`, `devel go1.26-abcdef Mon Jan ...`, `go1.25.5 X:nodwarf5`.
fn parse(version: &str) -> Option<u32> {
    let (_, after) = version.split_once("go1.")?;
    let digits = after.split(|character: char| !character.is_ascii_digit()).next()?;
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn build_info(flags: u8, version: &str) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend([8, flags]);
        bytes.resize(HEADER, 0);
        bytes.push(u8::try_from(version.len()).unwrap());
        bytes.extend(version.bytes());
        bytes
    }

    #[test]
    fn versions_are_read() {
        for (version, minor) in [
            ("go1.19.8", Some(19)),
            ("go1.27rc1", Some(27)),
            ("devel go1.26-0123456789 Mon Nov 24", Some(26)),
            ("go1.25.5 X:nodwarf5", Some(25)),
            ("go2", None),
            ("go1.99999999999", None),
        ] {
            assert_eq!(minor_version(&build_info(2, version)), minor, "{version}");
        }
        assert_eq!(minor_version(&build_info(0, "go1.17")), None, "pointers, not text");
    }

    #[test]
    fn truncated_build_information_has_no_version() {
        let whole = build_info(2, "go1.23.4");
        for length in 0..whole.len() {
            assert_eq!(minor_version(&whole[..length]), None, "{length}");
        }
    }
}
