//! Escapes text that an attacker may have chosen, for terminals, spreadsheets and JSON.
//!
//! A `comm`, a path or a command line may contain any character: an escape sequence that rewrites
//! the terminal's contents, a direction override that reverses a name, a formula that a spreadsheet
//! would execute. The escapes are for people: a backslash is not escaped, so they cannot be
//! decoded.

use std::{borrow::Cow, fmt::Write};

/// The text with everything that does not print as itself replaced by a visible escape: `\n`,
/// `\x1b`, `\u{202e}`. The result is one line.
pub(crate) fn visible(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_invisible) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        push_visible(&mut escaped, character);
    }
    Cow::Owned(escaped)
}

/// Like [`visible`], for a sentence from [`words`](super::words): no-break spaces are kept.
pub(crate) fn sentence(text: &str) -> String {
    const NO_BREAK_SPACE: &str = "\u{a0}";
    text.split(NO_BREAK_SPACE).map(visible).collect::<Vec<_>>().join(NO_BREAK_SPACE)
}

/// A text cell that no spreadsheet evaluates as a formula: [`visible`], with an apostrophe in front
/// if it begins like a formula. Not for numbers, which may begin with a minus.
pub(crate) fn csv_text(text: &str) -> Cow<'_, str> {
    // In some East Asian locales, the wide forms of the signs also begin a formula.
    let like_formula = text.starts_with([
        '=', '+', '-', '@', '\t', '\r', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}',
    ]);
    if like_formula { Cow::Owned(format!("'{}", visible(text))) } else { visible(text) }
}

/// Serialized JSON with everything invisible inside its strings as `\uXXXX`, which means the same
/// to a parser and has no effect on a terminal.
pub(crate) fn json(serialized: String) -> String {
    let harmful = |character| character != '\n' && is_invisible(character);
    if !serialized.chars().any(harmful) {
        return serialized;
    }
    let mut escaped = String::with_capacity(serialized.len() + 16);
    for character in serialized.chars() {
        if harmful(character) {
            for unit in character.encode_utf16(&mut [0; 2]) {
                // Writing to a string cannot fail.
                let _ = write!(escaped, "\\u{unit:04x}");
            }
        } else {
            escaped.push(character);
        }
    }
    escaped
}

fn push_visible(escaped: &mut String, character: char) {
    match character {
        '\n' => escaped.push_str("\\n"),
        '\r' => escaped.push_str("\\r"),
        '\t' => escaped.push_str("\\t"),
        _ if !is_invisible(character) => escaped.push(character),
        _ => {
            let number = u32::from(character);
            // Writing to a string cannot fail.
            let _ = if number < 0x100 {
                write!(escaped, "\\x{number:02x}")
            } else {
                write!(escaped, "\\u{{{number:x}}}")
            };
        }
    }
}

/// Whether the character is a control character, a space other than the ordinary one, or what
/// Unicode calls `Default_Ignorable_Code_Point`: direction marks and overrides, zero-width
/// characters, fillers, variation selectors, tags.
fn is_invisible(character: char) -> bool {
    if character.is_ascii() {
        return character.is_ascii_control();
    }
    character.is_control()
        || character.is_whitespace()
        || matches!(
            character,
            '\u{ad}'
                | '\u{34f}'
                | '\u{61c}'
                | '\u{115f}'..='\u{1160}'
                | '\u{17b4}'..='\u{17b5}'
                | '\u{180b}'..='\u{180f}'
                | '\u{200b}'..='\u{200f}'
                | '\u{202a}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{2800}'
                | '\u{3164}'
                | '\u{fe00}'..='\u{fe0f}'
                | '\u{feff}'
                | '\u{ffa0}'
                | '\u{fff0}'..='\u{fffb}'
                | '\u{1bca0}'..='\u{1bca3}'
                | '\u{1d173}'..='\u{1d17a}'
                | '\u{e0000}'..='\u{e0fff}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn harmless_text_is_not_copied() {
        for text in ["", "api", "kworker/0:1", "größe 日本語 ❤", r"a\x2db", "100%"] {
            assert!(matches!(visible(text), Cow::Borrowed(same) if same == text), "{text}");
            assert!(matches!(csv_text(text), Cow::Borrowed(same) if same == text), "{text}");
        }
    }

    #[test]
    fn what_does_not_print_as_itself_becomes_visible() {
        for (text, shown) in [
            ("\x1b[2J\x1b]0;root\x07", r"\x1b[2J\x1b]0;root\x07"),
            ("two\nlines\r\tand", r"two\nlines\r\tand"),
            ("\0\x7f\u{9b}31m", r"\x00\x7f\x9b31m"),
            ("gpj.\u{202e}exe", r"gpj.\u{202e}exe"),
            ("ap\u{200b}i\u{feff}", r"ap\u{200b}i\u{feff}"),
            ("a\u{2028}b\u{a0}c\u{3000}d", r"a\u{2028}b\xa0c\u{3000}d"),
            ("tag\u{e0041}", r"tag\u{e0041}"),
        ] {
            assert_eq!(visible(text), shown);
        }
    }

    #[test]
    fn no_control_character_survives() {
        for number in 0..=u32::from(char::MAX) {
            let Some(character) = char::from_u32(number) else { continue };
            let shown = visible(&character.to_string()).into_owned();
            assert!(!shown.chars().any(char::is_control), "{number:x}");
        }
    }

    #[test]
    fn formulas_are_neutralised() {
        for (text, shown) in [
            ("=cmd|' /C calc'!A0", "'=cmd|' /C calc'!A0"),
            ("+1", "'+1"),
            ("-1", "'-1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\t=1", r"'\t=1"),
            ("\r=1", r"'\r=1"),
            ("\u{ff1d}1", "'\u{ff1d}1"),
            ("\u{200b}=1", r"\u{200b}=1"),
            ("a=b", "a=b"),
        ] {
            assert_eq!(csv_text(text), shown);
        }
    }

    #[test]
    fn json_keeps_its_meaning() {
        let text = "\x1b[2J \u{9b}31m \u{202e}abc \u{e0041} \x7f \" \\ ok";
        let serialized = serde_json::to_string_pretty(&vec![text]).unwrap();
        let escaped = json(serialized);
        assert!(escaped.is_ascii() && escaped.contains(r"\u009b31m \u202eabc \udb40\udc41"));
        assert_eq!(serde_json::from_str::<Vec<String>>(&escaped).unwrap(), [text]);
    }
}
