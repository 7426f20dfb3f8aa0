//! Incident reports from recordings, including processes with hostile names.

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    time::Duration,
};

use super::run::{Leak, Outcome, run, run_offline};
use crate::collect::backend::scripted::{Process, Sockets};

const MARKUP: &str = "<b>x</b>&\"'";
const ESCAPED: &str = "&lt;b&gt;x&lt;/b&gt;&amp;&quot;'";

/// A directory with the recording of a leak that is closed in the 20th of 30 seconds.
struct File {
    directory: tempfile::TempDir,
    process: Process,
}

impl File {
    fn record(is_closed: bool) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let file = Self { directory, process: Process::this().named(MARKUP) };
        let mut host = Leak::Undrained.before_the_run(&file.process, 8);
        if is_closed {
            host = host.at(Duration::from_secs(20), Sockets::close_all);
        }
        let pid = file.process.pid;
        let record = format!("record {} --pid {pid} --idle 1s --for 30s", file.path("run.rec"));
        assert_eq!(run(&record, host).code, u8::from(!is_closed));
        file
    }

    fn path(&self, name: &str) -> String {
        self.directory.path().join(name).display().to_string()
    }

    fn report(&self, arguments: &str) -> Outcome {
        run_offline(&format!("report {} {arguments}", self.path("run.rec")))
    }
}

#[test]
fn a_recorded_leak_becomes_a_page_and_a_summary() {
    let file = File::record(false);
    let (pid, recording, page) = (file.process.pid, file.path("run.rec"), file.path("page.html"));

    let outcome = file.report(&format!("--html {page}"));

    assert_eq!((outcome.code, &*outcome.error), (1, ""), "{outcome:?}");
    let headline = "leaks 8 connections to 10.0.0.1:443";
    let summary = outcome.stdout.replace(['\n', '\u{a0}'], " ");
    assert!(summary.starts_with(&format!("{MARKUP}[{pid}] ")), "{outcome:?}");
    assert!(summary.contains(headline), "{outcome:?}");
    assert!(summary.contains(&format!("tracer diff {recording} AFTER.rec")), "{outcome:?}");
    let html = fs::read_to_string(&page).unwrap();
    assert_eq!(fs::metadata(&page).unwrap().permissions().mode() & 0o777, 0o600);
    let shown = html.replace('\u{a0}', " ");
    for part in [
        ESCAPED,
        headline,
        "undrained",
        &format!("tracer record {recording} --pid {pid} --idle 1s --for 30s"),
        &format!("tracer replay {recording}"),
    ] {
        assert!(shown.contains(part), "{part} is not in {shown}");
    }
    assert!(!shown.contains("<b>"), "{shown}");

    let to_stdout = file.report("--html -");
    assert_eq!((to_stdout.code, to_stdout.stdout), (1, html));
    let summary = file.report("");
    assert_eq!((summary.code, summary.stdout), (1, outcome.stdout));
}

#[test]
fn a_report_can_be_of_another_time_and_use_other_thresholds() {
    let file = File::record(true);

    let ended = file.report("");
    assert_eq!(ended.code, 0, "{ended:?}");
    let hint = ended.stdout.split_whitespace().skip_while(|word| *word != "--at").nth(1).unwrap();
    let before = file.report(&format!("--at {hint}"));
    assert_eq!(before.code, 1, "{before:?}");

    let at = "2026-03-01T12:00:15Z";
    let page = file.report(&format!("--at {at} --html -"));
    assert_eq!(page.code, 1, "{page:?}");
    assert!(page.stdout.contains("leaks 8\u{a0}connections to"), "{page:?}");
    assert!(page.stdout.contains("--at 2026-03-01T12:00:15"), "{page:?}");
    let fewer = format!("--at {at} --min-count 9 --html -");
    let counted = file.report(&fewer);
    assert_eq!(counted.code, 0, "{counted:?}");
    assert!(counted.stdout.contains("<h1>No likely or certain leaks found.</h1>"), "{counted:?}");
    let listed = file.report(&format!("{fewer} --show possible"));
    assert_eq!(listed.code, 0, "{listed:?}");
    assert!(listed.stdout.contains("may leak 8\u{a0}connections to"), "{listed:?}");
    assert!(listed.stdout.contains("--min-count 9 --show possible --html"), "{listed:?}");
}

#[test]
fn a_page_that_cannot_be_written_is_an_error() {
    let file = File::record(false);
    fs::write(file.path("precious"), "kept").unwrap();
    symlink(file.path("precious"), file.path("link.html")).unwrap();
    let report = |to: &str| file.report(&format!("--html {to}"));

    report(&file.path("link.html")).assert_error(&["link.html", "symbolic link"]);
    report(&file.path("nowhere/page.html")).assert_error(&["directory does not exist"]);
    report("/dev/null").assert_error(&["/dev/null", "not a regular file"]);

    assert_eq!(fs::read_to_string(file.path("precious")).unwrap(), "kept");
}
