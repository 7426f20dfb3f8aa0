use expect_test::expect_file;
use tracer_core::{AttachState, Comm, Confidence, Container, Finding, Hook, Note, Probe, Report};

use super::*;
use crate::output::{fixture, history::History};

fn rendered(report: &Report, history: &History) -> String {
    let context = fixture::context();
    page(&fixture::incident(report, history, &context))
}

/// The page with one element per line, for readable differences.
fn in_lines(page: &str) -> String {
    let mut page = page.to_owned();
    for tag in [
        "<head", "<body", "<style", "<main", "<section", "<h1", "<h2", "<h3", "<p", "<ol", "<ul",
        "<li", "<table", "<tr", "<td", "<figure", "<svg", "<text", "<rect", "<dl", "<div",
    ] {
        page = page.replace(tag, &format!("\n{tag}"));
    }
    page.replace(" \n", "\n")
}

/// The text between the tags.
fn text(page: &str) -> String {
    let mut text = String::new();
    let mut is_tag = false;
    for character in page.chars() {
        match character {
            '<' => is_tag = true,
            '>' => is_tag = false,
            _ if is_tag => {}
            _ => text.push(character),
        }
    }
    text.replace('\u{a0}', " ")
}

#[test]
fn a_growing_leak() {
    let report = fixture::grown();
    let page = rendered(&report, &fixture::history(&report));
    expect_file!["tests/page.html"].assert_eq(&in_lines(&page));
}

#[test]
fn without_findings_the_page_says_what_is_missing() {
    let report = fixture::incomplete();
    let mut history = History::default();
    history.end(&report);
    let text = text(&rendered(&report, &history));
    for part in [
        "No leaked connections found, but coverage is incomplete.",
        "2 processes could not be read",
        "accept: not attached (fexit: not permitted)",
        "processes outside it are not visible",
        "Not analyzed (not plain TCP): 2 mptcp",
        "The charts show all 0 snapshots.",
    ] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
}

#[test]
fn a_limit_is_in_the_chart_if_it_is_near() {
    let mut report = fixture::grown();
    for (limit, seconds, is_near) in [(1_470, 600, true), (65_536, 46 * 3_600, false)] {
        report.processes[0].fd_limit = Some(limit);
        report.processes[0].seconds_to_fd_limit = Some(seconds);
        let page = rendered(&report, &fixture::history(&report));
        assert_eq!(page.contains(r#"class="limit""#), is_near, "{limit}");
        assert!(text(&page).contains(" reached in about "));
    }
    report.processes[0].seconds_to_fd_limit = None;
    assert!(!text(&rendered(&report, &fixture::history(&report))).contains(" reached in about "));
}

#[test]
fn findings_beyond_the_maximum_are_counted() {
    let mut report = fixture::grown();
    let leak = report.findings[0].clone();
    report.findings = (1..=30).map(|id| Finding { id, ..leak.clone() }).collect();
    let page = rendered(&report, &History::default());
    assert!(text(&page).contains("10 more findings not shown."));
    assert!(page.contains(r#"id="finding-20""#) && !page.contains("finding-21"));
}

#[test]
fn possible_findings_are_counted_and_equal_ones_share_a_row() {
    let mut report = fixture::grown();
    let worker = |number| fixture::worker(10 + number, fixture::process(900, number), 6);
    report.findings.extend((1..=12).map(worker));
    let (context, history) = (fixture::context(), fixture::history(&report));
    let mut incident = fixture::incident(&report, &history, &context);
    incident.least = Confidence::Likely;
    let text = text(&page(&incident));
    for part in [
        "1 other finding is below. 1 finding is possible: a healthy program can look the same;",
        "Finding 11: 12 processes of python3 to 10.0.0.7:443",
        "Pids: 900 (6 connections), 900 (6), ",
        "Findings that are not listed",
        "possible ghost1121--show possible",
        "info stale-pool121--show info",
    ] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    assert!(!text.contains("Finding 2:"), "{text}");
}

#[test]
fn the_page_says_what_the_charts_leave_out() {
    let report = fixture::grown();
    let mut history = fixture::history(&report);
    history.snapshots = 10_000;
    history.samples[0].elsewhere = 3;
    let text = text(&rendered(&report, &history));
    assert!(text.contains("The charts show 52 of 10,000 snapshots, evenly sampled."));
    assert!(text.contains("There were more than 10,000 destinations"));
}

#[test]
fn the_page_refers_to_nothing_outside_of_it() {
    let report = fixture::grown();
    let page = rendered(&report, &fixture::history(&report));
    for harmful in ["<script", "javascript:", "src=", "@import", "<link", "<img", "<iframe"] {
        assert!(!page.contains(harmful), "{harmful}");
    }
    for (position, _) in page.match_indices("href=").chain(page.match_indices("url(")) {
        let target = page[position..].trim_start_matches("href=\"").trim_start_matches("url(");
        assert!(target.starts_with('#'), "{}", &page[position..position + 30]);
    }
    assert!(page.contains(r#"content="default-src 'none'; style-src 'unsafe-inline'""#));
}

/// Markup, the end of an attribute, and invisible characters.
const HOSTILE: &str =
    "</title><script>alert(1)</script>\"'><img src=x onerror=\"a()\">&amp;\u{202e}\x1b";

#[test]
fn text_from_the_host_is_escaped() {
    let mut report = fixture::grown();
    let mut context = fixture::context();
    HOSTILE.clone_into(&mut context.host);
    for finding in &mut report.findings {
        finding.comm = Comm(HOSTILE.into());
        for text in
            [&mut finding.exe, &mut finding.cmdline, &mut finding.call_site, &mut finding.request]
        {
            *text = Some(HOSTILE.to_owned());
        }
        finding.container = Some(Container {
            id: HOSTILE.to_owned(),
            runtime: Some(HOSTILE.to_owned()),
            pod_uid: Some(HOSTILE.to_owned()),
        });
        finding.evidence = vec![fixture::requests(HOSTILE, 1)];
        for connection in &mut finding.connections {
            connection.call_site = Some(HOSTILE.to_owned());
            for owner in &mut connection.owners {
                owner.comm = Comm(HOSTILE.into());
            }
        }
    }
    report.processes[0].comm = Comm(HOSTILE.into());
    report.coverage.notes.push(Note::CsvStopped { detail: HOSTILE.to_owned() });
    let state = AttachState::NotAttached { failures: vec![fixture::refused(HOSTILE)] };
    report.coverage.probes.push(Probe { hook: Hook::Accept, state });
    report.coverage.not_judged = [(HOSTILE.to_owned(), 1)].into();
    let history = fixture::history(&report);
    let mut incident = fixture::incident(&report, &history, &context);
    for text in [&mut incident.provenance.file, &mut incident.provenance.recorder] {
        HOSTILE.clone_into(text);
    }
    incident.provenance.arguments.push(HOSTILE.to_owned());
    incident.provenance.recorded_with.push(HOSTILE.to_owned());

    let page = page(&incident);

    expect_file!["tests/hostile.html"].assert_eq(&in_lines(&page));
    for harmful in ["<script", "<img", "\u{202e}", "\x1b", "\"'>", "</title><script", "=\"a()"] {
        assert!(!page.contains(harmful), "{harmful:?}");
    }
    assert_eq!(page.matches("</title>").count(), 1 + page.matches("<title id=").count());
    // It is shown, not left out, at every place that has text from the host.
    let shown = r"&lt;script&gt;alert(1)&lt;/script&gt;&quot;'&gt;";
    assert!(page.matches(shown).count() > 30, "{}", page.matches(shown).count());
    assert!(page.contains(r"&amp;amp;\u{202e}\x1b"));
}
