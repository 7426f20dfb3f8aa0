//! Go's HTTP client with response bodies that are not closed: found, counted, and with the line of
//! code that sent the request.

use std::{fs, path::Path, thread};

use crate::support::{Form, Go, Program, Report, Tracer, go_source, line_of};

/// How many requests `billing` sends on command.
const COUNT: u64 = 25;

/// The fix, which is a comment in the source.
const FIX: &str = "// defer response.Body.Close()";

/// The line that sends the request: `main.doSomething billing.go:13`.
fn call_site() -> String {
    let line = line_of(&go_source("billing").join("billing.go"), "the call site");
    format!("main.doSomething billing.go:{line}")
}

/// Makes `billing` leak while it is traced, and returns the last report, after one that shows all
/// responses.
fn report_of(program: &mut Program) -> Report {
    let mut tracer = Tracer::start(&format!("--pid {} --idle 1s -o json", program.pid()));
    tracer.wait_for_first_report();
    assert_eq!(program.ask(""), "done");
    tracer.wait_until(|report| {
        let responses =
            report.leaks_of(program.pid()).iter().map(|it| it.number("responses")).sum::<u64>();
        responses == COUNT
    });
    let outcome = tracer.interrupt();
    assert_eq!(outcome.code, 1, "{outcome:?}");
    outcome.report()
}

/// Asserts that the process has one finding: these responses were not closed.
#[track_caller]
fn assert_one_finding(report: &Report, pid: u32, confidence: &str) {
    let findings = report.findings_of(pid);
    assert_eq!(findings.len(), 1, "{report}");
    assert_eq!(findings[0].text("verdict"), "body-not-closed", "{report}");
    assert_eq!(findings[0].text("confidence"), confidence, "{report}");
    assert_eq!(findings[0].text("call_site"), call_site(), "{report}");
    assert!(!findings[0].is_retracted(), "{report}");
}

#[track_caller]
fn check(executable: &Path, arguments: &str) {
    let mut program = Program::start_ready(executable, arguments);
    let report = report_of(&mut program);

    assert_one_finding(&report, program.pid(), "certain");
    let finding = report.leak_of(program.pid());
    assert_eq!(finding.count(), COUNT, "{report}");
    assert_eq!(finding.fds().len() as u64, COUNT, "{report}");
    let request = finding.text("request");
    assert!(request.starts_with("GET http") && request.ends_with("/charge"), "{request}");
}

#[test]
fn the_call_site_has_the_line() {
    for go in Go::all() {
        let directory = tempfile::tempdir().unwrap();
        check(&go.build(&go_source("billing"), directory.path(), Form::Plain), "");
    }
}

#[test]
fn a_stripped_program_has_a_call_site() {
    for go in Go::all() {
        let directory = tempfile::tempdir().unwrap();
        check(&go.build(&go_source("billing"), directory.path(), Form::Stripped), "");
    }
}

#[test]
fn programs_of_every_link_mode_have_a_call_site() {
    let forms = [
        Form::PositionIndependent,
        Form::ExternallyLinked,
        Form::ExternallyLinkedPositionIndependent,
    ];
    for form in forms {
        let directory = tempfile::tempdir().unwrap();
        check(&Go::chosen().build(&go_source("billing"), directory.path(), form), "");
    }
}

#[test]
fn body_size_tls_and_a_closing_peer_make_no_difference() {
    let directory = tempfile::tempdir().unwrap();
    let billing = Go::chosen().build(&go_source("billing"), directory.path(), Form::Stripped);
    let all = ["-bytes 3000", "-bytes 10000000", "-tls", "-tls -bytes 10000000", "-hang-up"];
    thread::scope(|scope| {
        for arguments in all {
            scope.spawn(|| check(&billing, arguments));
        }
    });
}

#[test]
fn http2_streams_are_found_on_a_healthy_connection() {
    for go in Go::all() {
        for form in [Form::Plain, Form::Stripped] {
            let directory = tempfile::tempdir().unwrap();
            let billing = go.build(&go_source("billing"), directory.path(), form);
            let mut program = Program::start_ready(&billing, "-http2 -bytes 10000000");
            let report = report_of(&mut program);

            // Which goroutine references a stream is unknown.
            assert_one_finding(&report, program.pid(), "likely");
            let finding = report.leak_of(program.pid());
            assert_eq!(finding.count(), 1, "all streams share a connection: {report}");
            // The flow control window of each stream is full.
            assert_eq!(finding.number("held_bytes"), COUNT * (4 << 20), "{report}");
        }
    }
}

#[test]
fn the_one_line_fix_is_enough() {
    let directory = tempfile::tempdir().unwrap();
    let source = directory.path().join("billing");
    fs::create_dir(&source).unwrap();
    for entry in fs::read_dir(go_source("billing")).unwrap().map(Result::unwrap) {
        let text = fs::read_to_string(entry.path()).unwrap();
        let fixed = text.replace(FIX, FIX.trim_start_matches("// "));
        assert_eq!(fixed != text, entry.file_name() == "billing.go");
        fs::write(source.join(entry.file_name()), fixed).unwrap();
    }
    let built = directory.path().join("built");
    fs::create_dir(&built).unwrap();
    let billing = Go::chosen().build(&source, &built, Form::Stripped);

    let check = |arguments: &str| {
        let mut program = Program::start_ready(&billing, arguments);
        let pid = program.pid();
        let mut tracer = Tracer::start(&format!("--pid {pid} --idle 1s --for 5s -o json"));
        tracer.wait_for_first_report();
        assert_eq!(program.ask(""), "done");
        let outcome = tracer.finish();

        assert_eq!(outcome.code, 0, "{arguments}: {outcome:?}");
        assert!(outcome.report().findings_of(pid).is_empty(), "{arguments}: {outcome:?}");
    };
    thread::scope(|scope| {
        for arguments in ["", "-bytes 10000000", "-tls", "-http2", "-http2 -bytes 10000000"] {
            scope.spawn(move || check(arguments));
        }
    });
}

#[test]
fn the_table_shows_verdict_and_call_site() {
    let directory = tempfile::tempdir().unwrap();
    let billing = Go::chosen().build(&go_source("billing"), directory.path(), Form::Stripped);
    let mut program = Program::start_ready(&billing, "");
    let pid = program.pid();
    let mut tracer = Tracer::start(&format!("--pid {pid} --idle 1s"));
    tracer.wait_for_line(|line| line.contains("No leaked connections"));

    assert_eq!(program.ask(""), "done");
    tracer.wait_for_line(|line| line.contains("body-not-closed (certain)"));
    let outcome = tracer.interrupt();

    assert!(outcome.stdout.contains(&call_site()), "{}", outcome.stdout);
}

#[test]
fn a_growing_leak_is_counted_completely() {
    let directory = tempfile::tempdir().unwrap();
    let billing = Go::chosen().build(&go_source("billing"), directory.path(), Form::Stripped);
    let mut program = Program::start_ready(&billing, "-count 7");
    let pid = program.pid();
    let mut tracer = Tracer::start(&format!("--pid {pid} --idle 1s -o json"));
    tracer.wait_for_first_report();

    for total in [7, 14, 21] {
        assert_eq!(program.ask(""), "done");
        let report = tracer.wait_until(|report| report.leaked_by(pid) == total);
        assert_one_finding(&report, pid, "certain");
    }
}

#[test]
fn the_goroutines_of_the_leak_are_counted() {
    let directory = tempfile::tempdir().unwrap();
    let billing = Go::chosen().build(&go_source("billing"), directory.path(), Form::Stripped);
    let mut program = Program::start_ready(&billing, "");
    let pid = program.pid();

    let report = report_of(&mut program);

    let goroutines = &report.process(pid)["goroutines"];
    assert_eq!(goroutines["read_loops"], COUNT, "{report}");
    assert_eq!(goroutines["write_loops"], COUNT, "{report}");
    assert!(goroutines["total"].as_u64().unwrap() > 2 * COUNT, "{report}");
    let wide = Tracer::run(&format!("audit --pid {pid} --idle 1s -w"));
    let words = format!("{COUNT} in readLoop, {COUNT} in writeLoop");
    assert!(wide.stdout.replace('\n', " ").contains(&words), "{}", wide.stdout);
}

#[test]
fn responses_leaked_before_tracing_are_found_without_uprobes() {
    let directory = tempfile::tempdir().unwrap();
    let billing = Go::chosen().build(&go_source("billing"), directory.path(), Form::Stripped);
    let mut program = Program::start_ready(&billing, "");
    let pid = program.pid();
    assert_eq!(program.ask(""), "done");
    let mut tracer = Tracer::start(&format!("--pid {pid} --idle 1s -o json"));

    let report = tracer.wait_until(|report| report.leaked_by(pid) == COUNT);

    let finding = report.leak_of(pid);
    assert_eq!(finding.text("verdict"), "abandoned", "{report}");
    assert!(finding.is_null("call_site"), "{report}");
}
