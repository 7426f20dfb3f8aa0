//! What was recorded becomes an incident document, whatever the processes call themselves.

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
};

use crate::support::{Kind, Leak, Tracer};

const MARKUP: &str = "<b>x</b>&\"'";
const ESCAPED: &str = "&lt;b&gt;x&lt;/b&gt;&amp;&quot;'";

#[test]
fn a_recorded_leak_becomes_a_page_and_a_summary() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).display().to_string();
    let (recording, page) = (path("run.rec"), path("page.html"));
    let mut leak = Leak::prepare(Kind::Undrained);
    leak.leaker.rename(MARKUP);
    leak.grow(6);
    let (pid, port) = (leak.pid(), leak.port());
    let look = format!("--pid {pid} --idle 1s --cmdline -o json");
    let mut tracer = Tracer::start(&format!("record {recording} {look}"));
    tracer.wait_until(|report| report.leaked_by(pid) == 6);
    leak.grow(2);
    tracer.wait_until(|report| report.leaked_by(pid) == 8);
    assert_eq!(tracer.interrupt().code, 1);
    leak.leaker.end();

    let outcome = Tracer::run(&format!("report {recording} --html {page}"));

    assert_eq!((outcome.code, &*outcome.stderr), (1, ""), "{outcome:?}");
    let headline = format!("leaks 8 connections to 127.0.0.1:{port}");
    let said = outcome.stdout.replace('\n', " ");
    assert!(said.starts_with(&format!("{MARKUP}[{pid}] ")), "{outcome:?}");
    assert!(said.contains(&format!(" {headline}, since ")), "{outcome:?}");
    assert!(said.contains(&format!("tracer diff {recording} AFTER.rec")), "{outcome:?}");
    let html = fs::read_to_string(&page).unwrap();
    assert_eq!(fs::metadata(&page).unwrap().permissions().mode() & 0o777, 0o600);
    let shown = html.replace('\u{a0}', " ");
    assert!(shown.contains(&format!("<h1>{ESCAPED}[{pid}] ")), "{shown}");
    assert!(shown.contains(&format!(" {headline}, since ")), "{shown}");
    assert!(!shown.contains("<b>"), "{shown}");
    for part in [
        "undrained",
        "Connections of finding 1, the oldest first",
        "silent until now",
        "Open connections by verdict",
        "Limit of open files",
        &format!("tracer record {recording} --pid {pid} --idle 1s --cmdline"),
        &format!("tracer replay {recording}"),
    ] {
        assert!(shown.contains(part), "{part} is not in {shown}");
    }

    let to_stdout = Tracer::run(&format!("report {recording} --html -"));
    assert_eq!((to_stdout.code, to_stdout.stdout), (1, html));
    let summary = Tracer::run(&format!("report {recording}"));
    assert_eq!((summary.code, summary.stdout), (1, outcome.stdout));
}

#[test]
fn a_page_is_of_the_moment_and_by_the_thresholds_that_were_asked_for() {
    let directory = tempfile::tempdir().unwrap();
    let recording = directory.path().join("run.rec").display().to_string();
    let mut leak = Leak::of(Kind::Undrained, 6);
    let mut tracer =
        Tracer::start(&format!("record {recording} --pid {} --idle 1s -o json", leak.pid()));
    let stood = tracer.wait_until(|report| report.leaked_by(leak.pid()) == 6);
    leak.leaker.ask("close-all");
    tracer.wait_until(|report| report.leaks_of(leak.pid()).is_empty());
    tracer.interrupt();

    let ended = Tracer::run(&format!("report {recording}"));
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(ended.stdout.starts_with("No leak stands any more; 1 finding was taken back"));
    let hint = ended.stdout.split_whitespace().skip_while(|word| *word != "--at").nth(1).unwrap();
    let before = Tracer::run(&format!("report {recording} --at {hint}"));
    assert_eq!(before.code, 1, "{before:?}");

    let at = stood.member("at").as_str().unwrap();
    let then = Tracer::run(&format!("report {recording} --at {at} --html -"));
    assert_eq!(then.code, 1, "{then:?}");
    assert!(then.stdout.contains("leaks 6\u{a0}connections to"), "{then:?}");
    assert!(then.stdout.contains(&format!("tracer replay {recording} --at {at}")), "{then:?}");
    let many = Tracer::run(&format!("report {recording} --at {at} --min-count 7 --html -"));
    assert!(many.stdout.contains("possibly leaks 6\u{a0}connections to"), "{many:?}");
    assert!(many.stdout.contains("with other thresholds"), "{many:?}");
}

#[test]
fn a_page_that_cannot_be_written_is_one_line_that_says_why() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).display().to_string();
    let recording = path("run.rec");
    assert_eq!(Tracer::run(&format!("record {recording} --comm nobody --for 0s")).code, 0);
    fs::write(path("precious"), "kept").unwrap();
    symlink(path("precious"), path("link.html")).unwrap();
    let report = |to: &str| Tracer::run(&format!("report {recording} --html {to}"));

    report(&path("link.html")).assert_one_line_error(&["link.html", "symbolic link"]);
    report(&path("nowhere/page.html")).assert_one_line_error(&["directory does not exist"]);
    report("/dev/null").assert_one_line_error(&["/dev/null", "not a regular file"]);

    assert_eq!(fs::read_to_string(path("precious")).unwrap(), "kept");
    let nothing = Tracer::run(&format!("report {recording} --html {}", path("page.html")));
    assert_eq!(nothing.code, 0, "{nothing:?}");
    assert!(nothing.stdout.starts_with("No leaked connections found."), "{nothing:?}");
    Tracer::run(&format!("report {}", path("precious")))
        .assert_one_line_error(&["is not a recording"]);
}
