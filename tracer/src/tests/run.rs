//! Runs of the program, and the leaks that they find.

use std::{cell::RefCell, collections::BTreeSet, rc::Rc, time::Duration};

use clap::Parser as _;

use super::{
    Fd,
    report::{Finding, Report},
    rows::Rows,
};
use crate::{
    Environment,
    cli::Cli,
    collect::backend::{
        BackendSource,
        scripted::{Process, ScriptedHost, SocketId, Sockets},
    },
    error_line,
    output::{exit_code, standard_output::StandardOutput},
    usage_line,
};

/// The address to which the leaking clients are connected.
pub(super) const SERVER: ([u8; 4], u16) = ([10, 0, 0, 1], 443);

/// Unread bytes of each connection of [`Leak::Undrained`].
pub(super) const UNREAD_BYTES: u32 = 8 * 1024;

/// How long before the run the last connection of a leak was used. For the `--idle` of most tests,
/// 1s, that is recent, so the connections are still accumulating.
pub(super) const SILENT_BEFORE: Duration = Duration::from_secs(4);

/// A way to leak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leak {
    /// The peer closed the connection.
    CloseWait,
    /// The peer sent a response that was not read.
    Undrained,
    /// The peer reset the connection.
    Ghost,
    /// Accepted on port 8080, and the request was not read.
    NeverRead,
}

impl Leak {
    /// Leaks one connection now.
    pub(super) fn one(self, sockets: &mut Sockets, process: &Process) -> SocketId {
        let id = match self {
            Self::NeverRead => sockets.accept(process, 8_080),
            _ => sockets.connect(process, SERVER),
        };
        match self {
            Self::CloseWait => sockets.receive_fin(id),
            Self::Ghost => sockets.receive_reset(id),
            Self::Undrained | Self::NeverRead => sockets.receive(id, UNREAD_BYTES),
        }
        id
    }

    /// A host on which a process has leaked connections before the run.
    pub(super) fn before_the_run(self, process: &Process, count: u32) -> ScriptedHost {
        let mut host = ScriptedHost::new();
        self.add(&mut host, process, count);
        host
    }

    /// A process has leaked connections before the run, one per second until [`SILENT_BEFORE`].
    pub(super) fn add(self, host: &mut ScriptedHost, process: &Process, count: u32) {
        for number in 0..count {
            let id = self.one(&mut host.sockets, process);
            let seconds = Duration::from_secs(number.into());
            host.sockets.backdate(id, SILENT_BEFORE + seconds);
        }
    }
}

/// The results of a run.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) code: u8,
    pub(super) stdout: String,
    /// The line on standard error.
    pub(super) error: String,
}

/// Runs the program on a host, with arguments that are split at white space.
pub(super) fn run(arguments: &str, host: ScriptedHost) -> Outcome {
    let backend = BackendSource::Scripted(host);
    let memory = Rc::new(RefCell::new(Vec::new()));
    let arguments: Vec<String> = arguments.split_whitespace().map(str::to_owned).collect();
    let words = ["tracer".to_owned()].into_iter().chain(arguments.clone());
    let output = StandardOutput::Memory(Rc::clone(&memory));
    let run = |cli| {
        let environment = Environment { arguments, output, backend };
        crate::run(cli, environment).map_err(|error| error_line(&error))
    };
    let result = Cli::try_parse_from(words).map_err(|error| usage_line(&error)).and_then(run);
    let (code, error) = match result {
        Ok(code) => (code, String::new()),
        Err(line) => (exit_code::FAILED, line),
    };
    let stdout = String::from_utf8(memory.take()).expect("the output is UTF-8");
    Outcome { code, stdout, error }
}

/// Runs a command that fails before it uses the host, or does not use it.
pub(super) fn run_offline(arguments: &str) -> Outcome {
    run(arguments, ScriptedHost::new())
}

impl Outcome {
    /// The last JSON document.
    pub(super) fn report(&self) -> Report {
        assert_ne!(self.stdout, "", "no document; error: {}", self.error);
        Report::parse(&self.stdout)
    }

    /// The CSV rows.
    pub(super) fn rows(&self) -> Rows {
        Rows::parse(self.stdout.as_bytes())
    }

    /// The only finding of the last JSON document.
    #[track_caller]
    pub(super) fn finding(&self, process: &Process) -> Finding {
        let mut findings = self.report().findings_of(process.pid);
        assert_eq!(findings.len(), 1, "{self:?}");
        findings.remove(0)
    }

    /// Asserts that the run failed with one line that contains all these words.
    #[track_caller]
    pub(super) fn assert_error(&self, words: &[&str]) {
        assert_eq!(self.code, 2, "{self:?}");
        assert_eq!(self.error.lines().count(), 1, "{self:?}");
        for word in words {
            assert!(self.error.contains(word), "{word} is not in {:?}", self.error);
        }
    }
}

/// The file descriptors of the first connections of a host.
pub(super) fn fds(count: u32) -> BTreeSet<Fd> {
    (1..=count).map(Sockets::fd).collect()
}
