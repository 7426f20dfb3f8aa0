//! Runs the Go programs of `tests/go`.
//!
//! `TRACER_TEST_GO_PROGRAM` is the path of a prebuilt program `connections`.

use std::{
    collections::BTreeMap,
    env, fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use tracer_core::{Asked, ConnectionId, ProcessKey};

use super::toolchain::{Form, build_with, go};
use crate::process::{
    epoll::{Epolls, Registrations},
    identity::{TICK_NS, started},
};

pub(super) fn build(directory: &Path, form: Form) -> PathBuf {
    if let Ok(program) = env::var("TRACER_TEST_GO_PROGRAM") {
        return program.into();
    }
    build_with(&go(), directory, form, &source("connections"), &[])
}

pub(super) fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tracer/tests/go").join(name).join("main.go")
}

pub(super) fn process(pid: u32) -> ProcessKey {
    ProcessKey { pid, start_time_ns: started(pid).unwrap() * TICK_NS }
}

/// A running program, after all of its connections are in their final state. It ends when its stdin is
/// closed.
pub(super) struct Running {
    child: Child,
    /// The lines that it has printed.
    pub(super) lines: Vec<String>,
    /// The lines that are a word and numbers: usually the fds of a kind of connection.
    pub(super) kinds: BTreeMap<String, Vec<u32>>,
}

impl Running {
    pub(super) fn start(program: &Path, arguments: &[&str]) -> Self {
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (mut lines, mut kinds) = (Vec::new(), BTreeMap::new());
        for line in BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap) {
            if line == "ready" {
                return Self { child, lines, kinds };
            }
            let (kind, fds) = line.split_once(' ').unwrap_or((&line, ""));
            let fds: Result<_, _> = fds.split_whitespace().map(str::parse).collect();
            kinds.extend(fds.ok().map(|fds| (kind.to_owned(), fds)));
            lines.push(line);
        }
        panic!("the program exited: {:?}", child.wait());
    }

    pub(super) fn process(&self) -> ProcessKey {
        process(self.child.id())
    }

    /// Every socket of the program.
    pub(super) fn asked(&self) -> Vec<Asked> {
        let mut asked = Vec::new();
        for entry in fs::read_dir(format!("/proc/{}/fd", self.child.id())).unwrap().flatten() {
            let fd: u32 = entry.file_name().to_str().unwrap().parse().unwrap();
            let Ok(target) = fs::read_link(entry.path()) else { continue };
            let inode = target.to_str().and_then(|it| it.strip_prefix("socket:["));
            let Some(inode) = inode.and_then(|it| it.strip_suffix(']')) else { continue };
            let id = ConnectionId(u64::from(fd));
            asked.push(Asked { id, fd, inode: inode.parse().unwrap() });
        }
        asked
    }

    pub(super) fn registrations(&self) -> Registrations {
        Epolls::default().registrations_uncached(self.process()).unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        self.child.wait().unwrap();
    }
}
