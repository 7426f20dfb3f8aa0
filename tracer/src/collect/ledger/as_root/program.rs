//! Builds and runs the Go program of the tests, `tests/go/ledger`.

use std::{
    fs::File,
    io::{BufRead as _, BufReader, Write as _},
    ops::Range,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;
use tracer_core::ProcessKey;
use tracer_inspect::process::identity::{self, TICK_NS};

use super::toolchain::{FORMS, Form, PLAIN, build_with, go, toolchains};

/// An executable, which is deleted when this is dropped.
pub(super) struct Built {
    /// The toolchain and how the program was built.
    pub(super) name: String,
    path: PathBuf,
    _directory: TempDir,
}

impl Built {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

fn build_as(go: &Path, form: Form) -> Built {
    let directory = tempfile::tempdir().unwrap();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/go/ledger/main.go");
    let path = build_with(go, directory.path(), form, &source, &[]);
    Built { name: format!("{} {}", go.display(), form.name), path, _directory: directory }
}

pub(super) fn build() -> Built {
    build_as(&go(), PLAIN)
}

/// Built with every installed `go`, and in every form.
pub(super) fn every_program() -> impl Iterator<Item = Built> {
    let plain = toolchains().into_iter().map(|go| build_as(&go, PLAIN));
    plain.chain(FORMS[1..].iter().map(|form| build_as(&go(), *form)))
}

/// The running program. It exits at EOF on its standard input.
pub(super) struct Program {
    child: Child,
    lines: BufReader<ChildStdout>,
    /// The addresses of its function `ask`.
    pub(super) ask: Range<u64>,
}

impl Program {
    pub(super) fn start(path: &Path) -> Self {
        let mut child =
            Command::new(path).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        let mut program = Self { child, lines, ask: 0..0 };
        program.read_addresses();
        program
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    fn read_addresses(&mut self) {
        let line = self.line();
        let (start, end) = line.split_once(' ').unwrap();
        self.ask = start.parse().unwrap()..end.parse().unwrap();
    }

    fn send(&mut self, order: &str) {
        writeln!(self.child.stdin.as_mut().unwrap(), "{order}").unwrap();
    }

    /// Sends an order and waits until it is done.
    #[track_caller]
    pub(super) fn order(&mut self, order: &str) {
        self.send(order);
        assert_eq!(self.line(), "ok", "{order}");
    }

    /// Makes it call `execve` on its own executable.
    pub(super) fn exec_again(&mut self) {
        self.send("again");
        self.read_addresses();
    }

    pub(super) fn key(&self) -> ProcessKey {
        let pid = self.child.id();
        ProcessKey { pid, start_time_ns: identity::started(pid).unwrap() * TICK_NS }
    }

    /// Number of bytes of its code that differ from its executable.
    pub(super) fn changed_code(&self) -> usize {
        let pid = self.child.id();
        let maps = std::fs::read_to_string(format!("/proc/{pid}/maps")).unwrap();
        let own = std::fs::read_link(format!("/proc/{pid}/exe")).unwrap();
        let file = File::open(format!("/proc/{pid}/exe")).unwrap();
        let memory = File::open(format!("/proc/{pid}/mem")).unwrap();
        let mut changed = 0;
        for line in maps.lines().filter(|line| line.ends_with(own.to_str().unwrap())) {
            let fields: Vec<&str> = line.split_whitespace().collect();
            if !fields[1].contains('x') {
                continue;
            }
            let number = |text: &str| u64::from_str_radix(text, 16).unwrap();
            let (start, end) = fields[0].split_once('-').unwrap();
            let length = usize::try_from(number(end) - number(start)).unwrap();
            let (mut is, mut was) = (vec![0; length], vec![0; length]);
            memory.read_exact_at(&mut is, number(start)).unwrap();
            // The last page may extend beyond the end of the file.
            let _ = file.read_at(&mut was, number(fields[2])).unwrap();
            changed += is.iter().zip(&was).filter(|(is, was)| is != was).count();
        }
        changed
    }

    /// Waits until the code is unchanged: the kernel removes a uprobe shortly after it is closed.
    #[track_caller]
    pub(super) fn expect_unchanged_code(&self) {
        let deadline = Instant::now() + Duration::from_secs(10);
        while self.changed_code() > 0 {
            assert!(Instant::now() < deadline, "{} bytes", self.changed_code());
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        self.child.wait().unwrap();
    }
}
