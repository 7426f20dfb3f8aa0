//! Building and running the Go programs that are looked into, those of `tests/go`.
//!
//! `TRACER_TEST_GO` names another `go` than that of the path, `TRACER_TEST_GO_PROGRAM` the program
//! `connections`, built in whatever way, and `TRACER_TEST_GOS` more versions of `go` for the tests
//! that compare versions: paths with colons between them.

use std::{
    collections::BTreeMap,
    env, fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use tracer_core::{Asked, ConnectionId, ProcessKey};

use crate::{
    processes,
    readers::epoll::{Epolls, Registrations},
};

/// A way to build a program.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Form {
    pub(crate) name: &'static str,
    pub(super) arguments: &'static [&'static str],
    /// What the linker is told.
    pub(super) linking: &'static str,
    /// What it is told to leave out.
    pub(super) stripping: &'static str,
}

const fn form(
    name: &'static str,
    arguments: &'static [&'static str],
    linking: &'static str,
    stripping: &'static str,
) -> Form {
    Form { name, arguments, linking, stripping }
}

pub(crate) const PLAIN: Form = form("plain", &[], "", "");
pub(super) const STRIPPED: Form = form("stripped", &["-trimpath"], "", "-s -w");
pub(crate) const FORMS: [Form; 5] = [
    PLAIN,
    STRIPPED,
    form("position-independent", &["-buildmode=pie"], "", "-s -w"),
    form("external", &[], "-linkmode=external", "-s -w"),
    form("external-position-independent", &["-buildmode=pie"], "-linkmode=external", "-s -w"),
];

/// The `go` that most tests use.
pub(crate) fn go() -> PathBuf {
    env::var_os("TRACER_TEST_GO").unwrap_or_else(|| "go".into()).into()
}

/// All that are to be tested.
pub(crate) fn toolchains() -> Vec<PathBuf> {
    let more = env::var_os("TRACER_TEST_GOS").unwrap_or_default();
    if more.is_empty() {
        println!("versions of Go other than that of the path are skipped: set TRACER_TEST_GOS");
    }
    let more = env::split_paths(&more).filter(|path| !path.as_os_str().is_empty());
    [go()].into_iter().chain(more).collect()
}

/// Builds the program, or a source of one's own.
pub(crate) fn build_with(
    go: &Path,
    directory: &Path,
    form: Form,
    source: &Path,
    environment: &[(&str, &str)],
) -> PathBuf {
    let program = directory.join(form.name);
    // What was compiled before is kept beside what cargo built.
    let cache = env::current_exe().unwrap().ancestors().nth(3).unwrap().join("go-cache");
    let is_external = form.linking.contains("external");
    let status = Command::new(go)
        .env("GO111MODULE", "off")
        .env("GOFLAGS", "")
        .env("GOTOOLCHAIN", "local")
        .env("GOCACHE", cache)
        .env_remove("GOROOT")
        .env("CGO_ENABLED", if is_external { "1" } else { "0" })
        .envs(environment.iter().copied())
        .args(["build", "-o"])
        .arg(&program)
        .args(form.arguments)
        .arg(format!("-ldflags={} {}", form.linking, form.stripping))
        .arg(source)
        .status()
        .expect("go is needed: apt-get install golang-go");
    assert!(status.success(), "{form:?}");
    program
}

pub(super) fn build(directory: &Path, form: Form) -> PathBuf {
    if let Ok(program) = env::var("TRACER_TEST_GO_PROGRAM") {
        return program.into();
    }
    build_with(&go(), directory, form, &source("connections"), &[])
}

pub(super) fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/go").join(name).join("main.go")
}

pub(super) fn process(pid: u32) -> ProcessKey {
    ProcessKey { pid, start_time_ns: processes::started(pid).unwrap() * processes::TICK_NS }
}

/// A program, once all of its connections are as they should be. It ends with its input.
pub(super) struct Running {
    child: Child,
    /// What it has printed.
    pub(super) lines: Vec<String>,
    /// What of that is a word and numbers: the descriptors of each kind.
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
        panic!("the program ended: {:?}", child.wait());
    }

    pub(super) fn process(&self) -> ProcessKey {
        process(self.child.id())
    }

    /// Every socket of it.
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
        Epolls::default().look_at_all(self.process()).unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        self.child.wait().unwrap();
    }
}
