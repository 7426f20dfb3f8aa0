//! Text in columns of a terminal: width, line breaks, shortening and color.

use tracer_core::Confidence;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Replaces omitted text.
const ELLIPSIS: &str = "..";

/// The minimum number of columns for text, even on a narrow terminal: below that, wrapped text is
/// unreadable.
const ROOM_MIN: usize = 36;

/// The number of columns that a text takes.
pub(super) fn width(text: &str) -> usize {
    text.width()
}

/// The text broken at spaces into lines of at most `width` columns: the first one begins with
/// `first`, the others are indented as deep as `first` is wide. A word wider than a line is split.
pub(crate) fn wrap(first: &str, text: &str, width: usize) -> Vec<String> {
    let indent = " ".repeat(self::width(first));
    let room = width.saturating_sub(indent.len()).max(ROOM_MIN);
    let mut lines = vec![first.to_owned()];
    let mut used = 0;
    for word in text.split(' ').flat_map(|word| pieces(word, room)) {
        let word_width = self::width(word);
        if used > 0 && used + 1 + word_width > room {
            lines.push(indent.clone());
            used = 0;
        }
        let Some(line) = lines.last_mut() else { break };
        if used > 0 {
            line.push(' ');
            used += 1;
        }
        line.push_str(word);
        used += word_width;
    }
    lines
}

/// A word in pieces of at most `room` columns.
fn pieces(word: &str, room: usize) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut rest = word;
    while width(rest) > room {
        let (piece, after) = rest.split_at(fitting(rest.chars(), room));
        pieces.push(piece);
        rest = after;
    }
    pieces.push(rest);
    pieces
}

/// The end of the text in at most `max` columns: of a call site, that is the file and line.
pub(super) fn clip_start(text: &str, max: usize) -> String {
    if width(text) <= max {
        return text.to_owned();
    }
    let kept = fitting(text.chars().rev(), max.saturating_sub(ELLIPSIS.len()));
    format!("{ELLIPSIS}{}", &text[text.len() - kept..])
}

/// The beginning of the text in at most `max` columns.
pub(super) fn clip_end(text: &str, max: usize) -> String {
    if width(text) <= max {
        return text.to_owned();
    }
    let kept = fitting(text.chars(), max.saturating_sub(ELLIPSIS.len()));
    format!("{}{ELLIPSIS}", &text[..kept])
}

/// Beginning and end of the text in at most `max` columns: of an address, that is the network and
/// the port.
pub(super) fn clip_middle(text: &str, max: usize) -> String {
    if width(text) <= max {
        return text.to_owned();
    }
    let room = max.saturating_sub(ELLIPSIS.len());
    let start = fitting(text.chars(), room / 2);
    let end = fitting(text.chars().rev(), room - room / 2);
    format!("{}{ELLIPSIS}{}", &text[..start], &text[text.len() - end..])
}

/// The number of bytes that fit in `room` columns; at least one character, so that splitting a text
/// terminates.
fn fitting(characters: impl Iterator<Item = char>, room: usize) -> usize {
    let (mut bytes, mut used) = (0, 0);
    for character in characters {
        used += character.width().unwrap_or(0);
        if bytes > 0 && used > room {
            break;
        }
        bytes += character.len_utf8();
    }
    bytes
}

/// Adds ANSI colors to text, if enabled.
#[derive(Clone, Copy)]
pub(super) struct Paint {
    color: bool,
}

impl Paint {
    pub(super) const fn new(color: bool) -> Self {
        Self { color }
    }

    pub(super) fn bold(self, text: &str) -> String {
        self.graphic_rendition("1", text)
    }

    pub(super) fn dim(self, text: &str) -> String {
        self.graphic_rendition("2", text)
    }

    /// Something that fails now.
    pub(super) fn alarm(self, text: &str) -> String {
        self.graphic_rendition("1;31", text)
    }

    /// A warning.
    pub(super) fn warning(self, text: &str) -> String {
        self.graphic_rendition("1;33", text)
    }

    /// The color of a confidence.
    pub(super) fn confidence(self, confidence: Confidence, text: &str) -> String {
        let code = match confidence {
            Confidence::Certain | Confidence::Likely => "1;31",
            Confidence::Possible => "33",
            Confidence::Info => "2",
        };
        self.graphic_rendition(code, text)
    }

    fn graphic_rendition(self, code: &str, text: &str) -> String {
        if self.color { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrapping_keeps_words_and_numbers_together() {
        let text = "The peer closed 1\u{a0}204 connections long ago; the process did not.";
        assert_eq!(
            wrap("#1  ", text, 40),
            ["#1  The peer closed 1\u{a0}204 connections", "    long ago; the process did not."]
        );
        assert_eq!(wrap("", text, 10_000), [text]);
        assert_eq!(wrap("* ", "", 20), ["* "]);
    }

    #[test]
    fn wrapping_never_exceeds_the_width_whatever_the_words() {
        let text = "/very/long/path/without/any/space 日本語日本語日本語日本語 short";
        for width in 38..70 {
            let lines = wrap("  ", text, width);
            assert!(lines.iter().all(|line| super::width(line) <= width), "{lines:#?}");
            let letters = |text: &str| text.replace(' ', "");
            assert_eq!(letters(&lines.concat()), letters(text));
        }
    }

    #[test]
    fn clipping_keeps_the_useful_part() {
        assert_eq!(clip_start("main.doSomething billing.go:23", 18), "..ng billing.go:23");
        assert_eq!(clip_end("a-very-long-name", 8), "a-very..");
        assert_eq!(clip_middle("[2001:db8::8a2e:370:7334]:443", 21), "[2001:db8..:7334]:443");
        for clip in [clip_start, clip_end, clip_middle] {
            assert_eq!(clip("short", 5), "short");
            assert!(width(&clip("日本語日本語日本語", 8)) <= 8);
        }
    }
}
