//! Sizes on the command line.

/// A size in bytes, with or without a unit: `4096`, `4KiB`, `64K`, `1M`. `K` is 1,024, as for `dd`
/// and `head`. `KB` is refused because it is 1,000 for some tools and 1,024 for others.
///
/// # Errors
/// The text is not a size, or the size does not fit into 64 bits.
pub(super) fn parse(text: &str) -> Result<u64, String> {
    let expected = || "expected a size such as 4096, 4KiB or 1M (1K = 1024 bytes)".to_owned();
    let digits = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit: u64 = match unit.trim_start().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "ki" | "kib" => 1 << 10,
        "m" | "mi" | "mib" => 1 << 20,
        "g" | "gi" | "gib" => 1 << 30,
        _ => return Err(expected()),
    };
    let number: u64 = number.parse().map_err(|_| expected())?;
    number.checked_mul(unit).ok_or_else(|| "the size is too large".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_an_optional_unit() {
        let sizes = [
            ("0", 0),
            ("4096", 4_096),
            ("4KiB", 4_096),
            ("64K", 65_536),
            ("64k", 65_536),
            ("1 MiB", 1 << 20),
            ("2G", 2 << 30),
            ("7B", 7),
        ];
        for (text, bytes) in sizes {
            assert_eq!(parse(text), Ok(bytes), "{text}");
        }
        for text in ["", "K", "KB", "4KB", "-1", "1.5K", "4 096", "1e3", "99999999999999999999"] {
            assert!(parse(text).is_err(), "{text}");
        }
        assert!(parse("18446744073709551615G").is_err());
    }
}
