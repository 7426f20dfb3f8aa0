//! Call sites: the line of code that opened or accepted a leaked connection, in several languages.

use std::{fs, thread};

use crate::support::{
    Finding, Listener, Program, Puppet, Report, Tracer, call_site_source, compile_c, compile_rust,
    found, line_of, one_by_one,
};

/// How many connections are leaked at one call site.
const COUNT: usize = 6;

/// With frame pointers and debug information.
const C_FLAGS: &str = "-g -O1 -fno-omit-frame-pointer";
const RUST_FLAGS: &str = "-g -O -Cforce-frame-pointers=yes";

/// Placeholder for an unknown call site.
const NOT_KNOWN: &str = "not known";

/// A program that leaks connections to a puppet, and a tracer that watches it.
struct Traced {
    program: Program,
    peer: Puppet,
    listener: Listener,
    tracer: Tracer,
}

impl Traced {
    fn start(program: Program) -> Self {
        let mut peer = Puppet::start();
        let listener = peer.listen();
        let arguments = format!("--pid {} --idle 2s -o json", program.pid());
        let mut tracer = Tracer::start(&arguments);
        tracer.wait_for_first_report();
        Self { program, peer, listener, tracer }
    }

    /// Leaks accepted connections whose requests are not read, or opened connections whose responses
    /// are not read.
    fn leak(&mut self, command: &str) {
        if command == "accept" {
            let answer = self.program.ask("listen");
            let port = answer.strip_prefix("ok ").unwrap();
            one_by_one(COUNT, || {
                let other_end = self.peer.ask(&format!("connect 127.0.0.1:{port} 1"));
                self.peer.send(&other_end, 8 * 1024);
                self.command("accept");
            });
        } else {
            let port = self.listener.address.port();
            one_by_one(COUNT, || {
                self.command(&format!("{command} {port}"));
                let other_end = self.peer.accept(self.listener, 1);
                self.peer.send(&other_end, 8 * 1024);
            });
        }
    }

    fn command(&mut self, command: &str) {
        let answer = self.program.ask(command);
        assert!(answer.starts_with("ok "), "{command}: {answer}");
    }

    /// Waits for this number of findings with all connections, and returns their call sites in
    /// alphabetical order, with the last report.
    fn call_sites(mut self, count: usize) -> (Vec<String>, Report) {
        let pid = self.program.pid();
        self.tracer.wait_until(|report| {
            let leaks = report.leaks_of(pid);
            leaks.len() == count && leaks.iter().all(|it| it.count() == COUNT as u64)
        });
        let report = self.tracer.interrupt().report();
        let place = |finding: &Finding| {
            let is_known = !finding.is_null("call_site");
            if is_known { finding.text("call_site").to_owned() } else { NOT_KNOWN.to_owned() }
        };
        let mut places: Vec<_> = report.leaks_of(pid).iter().map(place).collect();
        places.sort();
        (places, report)
    }
}

/// `leak_one leak.c:50`.
fn in_c(function: &str) -> String {
    let line = line_of(&call_site_source("leak.c"), &format!("/* {function} */"));
    format!("{function} leak.c:{line}")
}

/// `leak::leak_one leak.rs:16`.
fn in_rust(function: &str) -> String {
    let line = line_of(&call_site_source("leak.rs"), &format!("// {function}"));
    format!("leak::{function} leak.rs:{line}")
}

/// Runs commands of a program, and compares the call sites of its leaks.
#[track_caller]
fn check(program: Program, commands: &[&str], expected: &[String]) -> Report {
    let mut traced = Traced::start(program);
    for command in commands {
        traced.leak(command);
    }
    let (places, report) = traced.call_sites(commands.len());
    assert_eq!(places, expected, "{report}");
    report
}

#[track_caller]
fn check_c(flags: &str, commands: &[&str], expected: &[String]) -> Report {
    let directory = tempfile::tempdir().unwrap();
    let program = compile_c(&call_site_source("leak.c"), directory.path(), flags);
    check(Program::start_ready(&program, ""), commands, expected)
}

#[track_caller]
fn check_rust(flags: &str, command: &str, expected: String) {
    let directory = tempfile::tempdir().unwrap();
    let program = compile_rust(&call_site_source("leak.rs"), directory.path(), flags);
    check(Program::start_ready(&program, ""), &[command], &[expected]);
}

#[test]
fn connect_in_c() {
    check_c(C_FLAGS, &["connect"], &[in_c("leak_one")]);
}

#[test]
fn connect_in_c_on_a_thread() {
    check_c(C_FLAGS, &["connect-thread"], &[in_c("leak_one")]);
}

#[test]
fn connect_in_c_in_an_inlined_function() {
    check_c(C_FLAGS, &["connect-nested"], &[in_c("leak_inlined")]);
}

#[test]
fn accept_in_c() {
    check_c(C_FLAGS, &["accept"], &[in_c("accept_one")]);
}

#[test]
fn connect_in_rust() {
    check_rust(RUST_FLAGS, "connect", in_rust("leak_one"));
}

#[test]
fn connect_in_rust_on_a_thread() {
    check_rust(RUST_FLAGS, "connect-thread", in_rust("leak_one"));
}

#[test]
fn accept_in_rust() {
    check_rust(RUST_FLAGS, "accept", in_rust("accept_one"));
}

#[test]
fn two_call_sites_are_both_named() {
    let directory = tempfile::tempdir().unwrap();
    let program = compile_c(&call_site_source("leak.c"), directory.path(), C_FLAGS);
    let mut traced = Traced::start(Program::start_ready(&program, ""));
    traced.leak("connect");
    traced.leak("connect-other");
    let pid = traced.program.pid();
    let places = [in_c("leak_one"), in_c("leak_other")];
    let report = traced.tracer.wait_until(|report| {
        let text = report.to_string();
        report.leaked_by(pid) == 2 * COUNT as u64 && places.iter().all(|place| text.contains(place))
    });
    assert!(report.leak_of(pid).is_null("call_site"), "it is not one place: {report}");
}

#[test]
fn without_line_numbers_it_names_the_function() {
    check_c("-O1 -fno-omit-frame-pointer", &["connect"], &["leak_one (leak)".to_owned()]);
}

#[test]
fn a_stack_that_cannot_be_walked_has_no_wrong_call_site() {
    for flags in ["-g -O2 -fomit-frame-pointer", "-O2 -fomit-frame-pointer -s"] {
        let directory = tempfile::tempdir().unwrap();
        let program = compile_c(&call_site_source("leak.c"), directory.path(), flags);
        let check = |command: &str, function: &str| {
            let mut traced = Traced::start(Program::start_ready(&program, ""));
            traced.leak(command);
            let (places, report) = traced.call_sites(1);
            // The correct call site may be found; a wrong one may not.
            let right = [NOT_KNOWN.to_owned(), function.to_owned(), in_c(function)];
            assert!(right.contains(&places[0]), "{flags} {command}: {places:?} {report}");
        };
        thread::scope(|scope| {
            for (command, function) in
                [("connect", "leak_one"), ("connect-thread", "leak_one"), ("accept", "accept_one")]
            {
                scope.spawn(move || check(command, function));
            }
        });
    }
}

#[test]
fn python_functions_are_named_with_a_perf_map() {
    // Whether its stacks can be unwound depends on how it was built.
    let Some(python) = found(
        "python3",
        &[
            "-X",
            "perf",
            "-c",
            "import sys; \
        sys.exit(not sys.is_stack_trampoline_active())",
        ],
    ) else {
        return;
    };
    for (command, function) in [("connect", "leak_one"), ("accept", "accept_one")] {
        let script = call_site_source("leak.py");
        let program = Program::start_ready(&python, &format!("-X perf {}", script.display()));
        let _map = PerfMap(program.pid());
        let mut traced = Traced::start(program);
        traced.leak(command);
        let (places, report) = traced.call_sites(1);
        let right = [NOT_KNOWN.to_owned(), format!("{function} leak.py")];
        assert!(right.contains(&places[0]), "{command}: {places:?} {report}");
    }
}

/// The perf map of a process. It is removed when this is dropped.
struct PerfMap(u32);

impl Drop for PerfMap {
    fn drop(&mut self) {
        let _ = fs::remove_file(format!("/tmp/perf-{}.map", self.0));
    }
}
