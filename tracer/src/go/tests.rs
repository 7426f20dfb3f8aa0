//! Looks into a real Go program, `tests/go/connections`, that leaves connections behind in known
//! states.
//!
//! `TRACER_TEST_GO` names another `go` than that of the path, and `TRACER_TEST_GO_PROGRAM` the
//! program, built in whatever way.

#![expect(clippy::print_stdout, reason = "what was measured is shown with --nocapture")]

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use tracer_core::{ConnectionId, HttpStage, Reader};

use super::*;
use crate::{processes, readers::epoll};

/// How a program is built.
const FORMS: [(&str, &[&str]); 3] = [
    ("plain", &[]),
    ("stripped", &["-trimpath", "-ldflags=-s -w"]),
    ("position-independent", &["-buildmode=pie", "-ldflags=-s -w"]),
];

/// Builds the program.
fn build(directory: &Path, (form, arguments): (&str, &[&str])) -> PathBuf {
    if let Ok(program) = std::env::var("TRACER_TEST_GO_PROGRAM") {
        return program.into();
    }
    let go = std::env::var("TRACER_TEST_GO").unwrap_or_else(|_| "go".to_owned());
    let program = directory.join(form);
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/go/connections/main.go");
    let status = Command::new(go)
        .env("GO111MODULE", "off")
        .env("GOFLAGS", "")
        .env("GOTOOLCHAIN", "local")
        .env("GOCACHE", directory.join("cache"))
        .env("CGO_ENABLED", "0")
        .args(["build", "-o"])
        .arg(&program)
        .args(arguments)
        .arg(source)
        .status()
        .expect("go is needed: apt-get install golang-go");
    assert!(status.success(), "{form}");
    program
}

/// The program, once all of its connections are as they should be. It ends with its input.
struct Connections {
    child: Child,
    /// The descriptors of each kind.
    kinds: BTreeMap<String, Vec<u32>>,
}

impl Connections {
    fn start(program: &Path, arguments: &[&str]) -> Self {
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut kinds = BTreeMap::new();
        for line in BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap) {
            if line == "ready" {
                return Self { child, kinds };
            }
            let (kind, fds) = line.split_once(' ').unwrap_or((&line, ""));
            let fds = fds.split_whitespace().map(|fd| fd.parse().unwrap()).collect();
            kinds.insert(kind.to_owned(), fds);
        }
        panic!("the program ended: {:?}", child.wait());
    }

    /// Asks about every socket.
    fn look(
        &self,
        programs: &mut GoPrograms,
    ) -> (BTreeMap<u32, ReaderFacts>, Option<String>, Duration) {
        let pid = self.child.id();
        let mut asked = Vec::new();
        for entry in fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten() {
            let fd: u32 = entry.file_name().to_str().unwrap().parse().unwrap();
            let Ok(target) = fs::read_link(entry.path()) else { continue };
            let inode = target.to_str().and_then(|it| it.strip_prefix("socket:["));
            let Some(inode) = inode.and_then(|it| it.strip_suffix(']')) else { continue };
            let id = ConnectionId(u64::from(fd));
            asked.push(Asked { id, fd, inode: inode.parse().unwrap() });
        }
        let start_time_ns = processes::started(pid).unwrap() * processes::TICK_NS;
        let process = ProcessKey { pid, start_time_ns };
        let registrations = epoll::Epolls::default().look(process).unwrap();
        let begin = Instant::now();
        let look = programs.look(process, registrations.list(), &asked).unwrap();
        let took = begin.elapsed();
        let fd = |id: ConnectionId| u32::try_from(id.0).unwrap();
        (look.found.into_iter().map(|facts| (fd(facts.id), facts)).collect(), look.limits, took)
    }
}

impl Drop for Connections {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        self.child.wait().unwrap();
    }
}

/// What is found of one connection: reader, stage, whether it is held.
fn in_words(facts: Option<&ReaderFacts>) -> String {
    let Some(facts) = facts else { return "nothing".to_owned() };
    let http = facts.http.as_ref().map_or("no http".to_owned(), |http| {
        let stage = match http.stage {
            HttpStage::AwaitingBody => "awaiting",
            HttpStage::Idle => "idle",
        };
        let request = http.request.as_deref().and_then(|it| {
            let (method, url) = it.split_once(' ')?;
            Some(format!(" {method} {}", url.splitn(4, '/').nth(3)?))
        });
        let held = if http.is_held { " held" } else { "" };
        format!("{stage}{}{held}", request.unwrap_or_default())
    });
    format!("{}, {http}", facts.reader.name())
}

/// What is to be found of each kind. Goroutines that stay come first, so that no stack of theirs has
/// been another's that saw a response.
const EXPECTED: [(&str, &str); 13] = [
    ("idle=4", "goroutine, idle"),
    ("streaming=3", "goroutine, awaiting GET stream held"),
    ("held=2", "none, awaiting GET large held"),
    ("gzipheld=2", "none, awaiting GET gzip held"),
    ("boxed=2", "none, awaiting GET large held"),
    ("leaked=5", "none, awaiting GET small"),
    ("chunked=2", "none, awaiting GET chunked"),
    ("large=2", "none, awaiting GET large"),
    ("gzip=2", "none, awaiting GET gzip"),
    ("posted=2", "none, awaiting POST small"),
    ("wrapped=2", "none, awaiting GET small"),
    ("closed=3", "none, awaiting GET closing"),
    ("collected=6", "none, awaiting GET small"),
];

#[track_caller]
fn check(program: &Path, is_tls: bool, form: &str) {
    let mut arguments: Vec<&str> = EXPECTED.iter().map(|(kind, _)| *kind).collect();
    if is_tls {
        arguments.insert(0, "-tls");
    }
    let connections = Connections::start(program, &arguments);
    let (found, limits, _) = connections.look(&mut GoPrograms::default());
    assert_eq!(limits, None, "{form}");
    for (kind, expected) in EXPECTED {
        let (name, count) = kind.split_once('=').unwrap();
        let fds = &connections.kinds[name];
        assert_eq!(fds.len().to_string(), count, "{form} {kind}");
        let said: Vec<_> = fds.iter().map(|fd| in_words(found.get(fd))).collect();
        assert_eq!(said, vec![expected; fds.len()], "{form} {kind} tls={is_tls}");
    }
    let transports = |name: &str| {
        let of = |fd| found.get(fd).and_then(|it| it.http.as_ref()).map(|it| it.transport);
        connections.kinds[name].iter().map(of).collect::<BTreeSet<_>>()
    };
    assert_eq!(transports("leaked").len(), 1);
    assert!(transports("leaked").is_disjoint(&transports("idle")));
}

#[test]
#[ignore = "needs root and Go; cargo xtask test runs it where the host allows"]
fn every_connection_is_told_in_every_form() {
    let directory = tempfile::tempdir().unwrap();
    for form in FORMS {
        let program = build(directory.path(), form);
        check(&program, false, form.0);
        check(&program, true, form.0);
    }
}

#[test]
#[ignore = "needs root and Go; cargo xtask test runs it where the host allows"]
fn a_healthy_connection_is_never_taken_for_a_leak() {
    let directory = tempfile::tempdir().unwrap();
    let program = build(directory.path(), FORMS[0]);
    let arguments = ["leaked=5", "idle=5", "collector=1", "busy=8"];
    let connections = Connections::start(&program, &arguments);
    let mut programs = GoPrograms::default();
    let (mut leaks, mut healthy, mut held) = (0, 0, 0);
    for _ in 0..100 {
        let (found, ..) = connections.look(&mut programs);
        for (fd, facts) in &found {
            let waits = facts.http.as_ref().is_some_and(|it| it.stage == HttpStage::AwaitingBody);
            if !waits || facts.reader != Reader::None {
                healthy += 1;
            } else if connections.kinds["leaked"].contains(fd) {
                leaks += 1;
            } else {
                assert!(facts.http.as_ref().unwrap().is_held, "{fd}: {facts:?}");
                held += 1;
            }
        }
    }
    println!("leaks {leaks} of 500, healthy {healthy}, in use just then {held}");
    assert!(leaks > 400 && healthy > 400, "{leaks} {healthy}");
}

#[test]
#[ignore = "needs root and Go; cargo xtask test runs it where the host allows"]
fn thousands_of_goroutines_take_milliseconds() {
    let directory = tempfile::tempdir().unwrap();
    let program = build(directory.path(), FORMS[1]);
    for (arguments, leaks) in
        [(["parked=3000", "leaked=1000"], 1000), (["parked=10000", "leaked=2000"], 2000)]
    {
        let connections = Connections::start(&program, &arguments);
        let mut programs = GoPrograms::default();
        for _ in 0..3 {
            let (found, limits, took) = connections.look(&mut programs);
            println!("{arguments:?}: {took:?}");
            assert_eq!(limits, None);
            let said = connections.kinds["leaked"].iter().map(|fd| in_words(found.get(fd)));
            let (exact, others): (Vec<_>, Vec<_>) =
                said.partition(|it| it == "none, awaiting GET small");
            println!("{} {others:?}", exact.len());
            // What a stack still has of an earlier use of its memory looks like a holder.
            assert_eq!(exact.len() + others.len(), leaks);
            assert!(others.iter().all(|it| it == "none, awaiting GET small held"), "{others:?}");
            assert!(others.len() <= leaks / 20, "{}", others.len());
        }
    }
}
