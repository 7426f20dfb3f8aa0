use super::*;

fn page(body: usize, footer: usize) -> Page {
    let lines = |name: &str, count: usize| {
        (1..=count).map(|number| format!("{name}{number}")).collect::<Vec<_>>().join("\n")
    };
    Page { body: lines("body", body), footer: lines("footer", footer), processes: String::new() }
}

fn shown(page: &Page, rows: u16) -> Vec<String> {
    visible_lines(page, usize::from(rows))
}

#[test]
fn a_page_that_fits_is_shown_whole() {
    assert_eq!(shown(&page(2, 1), 24), ["body1", "body2", "", "footer1"]);
    assert_eq!(shown(&page(2, 1), 4), ["body1", "body2", "", "footer1"]);
    assert_eq!(shown(&page(2, 1), 3), ["body1", "body2", "footer1"]);
}

#[test]
fn the_footer_stays_on_the_screen() {
    assert_eq!(
        shown(&page(9, 2), 6),
        [
            "body1",
            "body2",
            "body3",
            "-- 6 more lines: enlarge the window, or end with Ctrl-C --",
            "footer1",
            "footer2"
        ]
    );
    assert_eq!(
        shown(&page(9, 9), 4)[1..],
        ["body2", "-- 15 more lines: enlarge the window, or end with Ctrl-C --", "footer9"]
    );
    assert_eq!(shown(&page(1, 9), 5)[2..], ["footer7", "footer8", "footer9"]);
}

#[test]
fn no_frame_is_higher_than_the_terminal_or_hides_lines_silently() {
    for body in 0..12 {
        for footer in 0..5 {
            for rows in 1..20_u16 {
                let page = page(body, footer);
                let lines = shown(&page, rows);
                assert!(lines.len() <= usize::from(rows), "{lines:?}");
                let is_told = lines.iter().any(|line| line.contains(" more line"));
                let is_cut = lines.iter().filter(|it| it.contains(char::is_numeric)).count()
                    - usize::from(is_told)
                    < body + footer;
                assert_eq!(is_told, is_cut, "{lines:?}");
            }
        }
    }
}

#[test]
fn a_frame_paints_over_the_last_one_and_does_not_scroll() {
    let bytes = frame(&page(1, 1), 24);
    let text = String::from_utf8(bytes).unwrap();
    assert_eq!(
        text,
        "\x1b[?2026h\x1b[?7l\x1b[H\x1b[Kbody1\r\n\x1b[K\r\n\x1b[Jfooter1\x1b[?7h\x1b[?2026l"
    );
    assert!(!frame(&page(1, 1), 0).is_empty());
}

#[test]
fn only_a_closed_pipe_is_an_ordinary_end() {
    assert!(is_broken_pipe(&io::Error::from_raw_os_error(libc::EPIPE)));
    assert!(!is_broken_pipe(&io::Error::from_raw_os_error(libc::ENOSPC)));
}
