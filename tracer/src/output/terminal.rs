//! A page repainted in place on a terminal. Pure: the caller writes what is returned.
//!
//! The live page is on the alternate screen. At the end, the last page is printed in full on the
//! ordinary screen, so that it is in the scrollback.

use std::io;

use super::table::Page;

/// Written before the first frame: alternate screen, cursor hidden.
pub(crate) const ENTER: &[u8] = b"\x1b[?1049h\x1b[?25l";

/// Written at the end, before the last page: cursor shown, ordinary screen. Only after [`ENTER`]:
/// the cursor returns to its position at that time.
pub(crate) const LEAVE: &[u8] = b"\x1b[?25h\x1b[?1049l";

/// The bytes that show a page on a terminal of the given number of rows.
///
/// Lines are overwritten in place within a synchronized update, which avoids flicker. If the page
/// has too many lines, the end of its body is omitted, the footer stays, and a line between them
/// says how many are missing. Lines that are too long are truncated.
pub(crate) fn frame(page: &Page, rows: u16) -> Vec<u8> {
    // Begin a synchronized update, do not wrap lines, go home.
    let mut bytes = b"\x1b[?2026h\x1b[?7l\x1b[H".to_vec();
    let lines = visible_lines(page, usize::from(rows).max(1));
    for (index, line) in lines.iter().enumerate() {
        // Clear to the end of the line, or of the screen for the last line. This comes before the
        // text: after a line as long as the terminal is wide, it would erase the last character.
        bytes.extend_from_slice(if index + 1 < lines.len() { b"\x1b[K" } else { b"\x1b[J" });
        bytes.extend_from_slice(line.as_bytes());
        if index + 1 < lines.len() {
            bytes.extend_from_slice(b"\r\n");
        }
    }
    // Wrap lines again, end the update.
    bytes.extend_from_slice(b"\x1b[?7h\x1b[?2026l");
    bytes
}

/// Whether a write failed because the reader closed the pipe.
pub(crate) fn is_broken_pipe(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::BrokenPipe
}

fn visible_lines(page: &Page, rows: usize) -> Vec<String> {
    let body: Vec<&str> = page.body.lines().collect();
    let footer: Vec<&str> = page.footer.lines().collect();
    let spare = rows.checked_sub(body.len() + footer.len());
    if let Some(spare) = spare {
        let between = if spare > 0 { &[""][..] } else { &[] };
        return [&body, between, &footer].concat().into_iter().map(str::to_owned).collect();
    }
    // One row says how many lines are missing. The body gets at least half of the others.
    let room = rows - 1;
    let footer_shown = footer.len().min((room / 2).max(room.saturating_sub(body.len())));
    let body_shown = room - footer_shown;
    let hidden = body.len() - body_shown + footer.len() - footer_shown;
    let unit = if hidden == 1 { "line" } else { "lines" };
    let notice = format!("-- {hidden} more {unit}: enlarge the window, or end with Ctrl-C --");
    let footer_shown = &footer[footer.len() - footer_shown..];
    let shown = [&body[..body_shown], &[&notice], footer_shown].concat();
    shown.into_iter().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests;
