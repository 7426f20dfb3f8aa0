//! A page repainted in place on a terminal. Pure: what is returned is for the caller to write.
//!
//! The live page is on the alternate screen, as an editor's is; at the end the last page stands in
//! full in the ordinary one, and so in the scrollback.

use std::io;

use super::table::Page;

/// What to write before the first frame: alternate screen, cursor hidden.
pub(crate) const ENTER: &[u8] = b"\x1b[?1049h\x1b[?25l";

/// What to write at the end, before the last page: cursor shown, ordinary screen. Only after
/// [`ENTER`]: the cursor goes back to where it was then.
pub(crate) const LEAVE: &[u8] = b"\x1b[?25h\x1b[?1049l";

/// What to write to show a page on a terminal of so many rows.
///
/// Each line is painted over where it is, and a terminal that can shows all of them at once, so
/// nothing flickers. Where the page is too long, the end of its body is left out, the footer
/// stays, and a line between them says how much is missing. What is too long for a line is cut.
pub(crate) fn frame(page: &Page, rows: u16) -> Vec<u8> {
    // Begin a synchronized update, do not wrap lines, go home.
    let mut bytes = b"\x1b[?2026h\x1b[?7l\x1b[H".to_vec();
    let lines = visible_lines(page, usize::from(rows).max(1));
    for (index, line) in lines.iter().enumerate() {
        // Clear from here to the end of the line, in the last one to the end of the screen. Before
        // the text: after a line as long as the terminal is wide it would take the last character.
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

/// Whether a write failed because nobody reads any more: for a filter that is an ordinary end.
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
    // One row says what is missing. The body gets half of the others at least.
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
