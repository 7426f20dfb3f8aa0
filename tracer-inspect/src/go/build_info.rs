//! The build information that every Go program carries, also a stripped one.

/// What build information begins with.
pub(super) const MAGIC: &[u8; 14] = b"\xff Go buildinf:";
/// It begins at a multiple of this many bytes.
pub(super) const ALIGNMENT: usize = 16;
/// Bytes of its header; the version follows, if it is the format of 1.18 and later.
const HEADER: usize = 32;
/// The flag of that format.
const INLINE: u8 = 2;

/// The minor version of Go 1 that a program was built with, from bytes that begin with build
/// information. `None`: there is none, or it is older than Go 1.18.
pub fn minor_version(bytes: &[u8]) -> Option<u32> {
    if !bytes.starts_with(MAGIC) || bytes.get(15)? & INLINE == 0 {
        return None;
    }
    let length = *bytes.get(HEADER)?;
    let text = if length < 0x80 {
        bytes.get(HEADER + 1..)?.get(..usize::from(length))?
    } else {
        // A length of two bytes: a version of more than 127, whose beginning will do.
        bytes.get(HEADER + 2..)?.get(..127)?
    };
    parse(&String::from_utf8_lossy(text))
}

/// `go1.23.4`, `go1.27rc1`, `devel go1.26-abcdef Mon Jan ...`, `go1.25.5 X:nodwarf5`.
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
    fn what_is_cut_short_is_no_version() {
        let whole = build_info(2, "go1.23.4");
        for length in 0..whole.len() {
            assert_eq!(minor_version(&whole[..length]), None, "{length}");
        }
    }
}
