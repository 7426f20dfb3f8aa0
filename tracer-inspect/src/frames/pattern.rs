//! Name patterns with wildcards.

/// Whether a text matches a pattern: `*` matches any characters, `?` one byte.
///
/// Only the last `*` is backtracked, which is sufficient, so the time is at most the product of both
/// lengths.
pub(super) fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    // Positions in the pattern and in the text.
    let (mut at, mut place) = (0, 0);
    // The last `*`: its position in the pattern, and the end of its match in the text.
    let mut star: Option<(usize, usize)> = None;
    while place < text.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, place));
                at += 1;
            }
            Some(byte) if *byte == b'?' || Some(byte) == text.get(place) => {
                at += 1;
                place += 1;
            }
            _ => match star {
                Some((before, reach)) => {
                    star = Some((before, reach + 1));
                    at = before + 1;
                    place = reach + 1;
                }
                None => return false,
            },
        }
    }
    pattern.get(at..).is_some_and(|rest| rest.iter().all(|byte| *byte == b'*'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_in_a_shell() {
        for (pattern, text, expected) in [
            ("libc.so*", "libc.so.6", true),
            ("libc.so*", "libcurl.so.4", false),
            ("*", "", true),
            ("", "", true),
            ("", "a", false),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-c-b", false),
            ("*/registry/src/*", "/root/.cargo/registry/src/index/hyper/lib.rs", true),
            ("python3.?", "python3.1", true),
            ("python3.?", "python3.12", false),
            ("*.js", "ä.js", true),
            ("a", "ab", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
        assert!(!matches(&"*a".repeat(200), &"a".repeat(199)));
    }
}
