use std::{
    env, fs,
    io::{BufRead as _, BufReader, Read as _},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use super::{Report, Rows};

/// Longest wait for a condition or an end: far more than a healthy run takes on a busy machine.
const DEADLINE: Duration = Duration::from_secs(200);

/// Longest wait for the end of standard error once the process has exited.
const ERRORS_DEADLINE: Duration = Duration::from_secs(20);

/// The tracer with arguments, which are split at white space.
pub(crate) fn command(arguments: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tracer"));
    command.args(arguments.split_whitespace());
    // `cargo xtask vm-test` runs the tests with each attach mechanism.
    if let Some(mechanism) = env::var_os("TRACER_TEST_ATTACH_METHOD") {
        command.arg("--attach-method").arg(mechanism);
    }
    command
}

/// The tracer with arguments, run by another program with arguments, such as `unshare`; all are
/// split at white space.
pub(crate) fn run_in(other: &str, arguments: &str) -> Command {
    let mut words = other.split_whitespace();
    let mut command = Command::new(words.next().expect("it has a name"));
    command.args(words).arg(env!("CARGO_BIN_EXE_tracer")).args(arguments.split_whitespace());
    command
}

/// The user and group `nobody`.
pub(crate) const NOBODY: u32 = 65534;

/// A copy of the tracer that every user can run: other users may have no access to the build
/// directory.
pub(crate) fn program_for_all(directory: &Path) -> PathBuf {
    fs::set_permissions(directory, fs::Permissions::from_mode(0o755)).expect("it is ours");
    let program = directory.join("tracer");
    // Another process copies it: a concurrent test could fork while the file is open for writing
    // here, and a file that some process has open for writing cannot be executed.
    let copied = Command::new("cp").arg(env!("CARGO_BIN_EXE_tracer")).arg(&program).status();
    assert!(copied.expect("cp runs").success());
    program
}

/// A running tracer. It is killed when this is dropped.
pub(crate) struct Tracer {
    child: Child,
    lines: Receiver<String>,
    stdout: String,
    stderr: Option<JoinHandle<String>>,
}

/// How a run of the tracer ended.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// Exit code; a death by signal fails the test.
    pub(crate) code: i32,
    /// All of standard output.
    pub(crate) stdout: String,
    /// All of standard error.
    pub(crate) stderr: String,
}

impl Tracer {
    /// Starts the tracer with arguments, which are split at white space.
    pub(crate) fn start(arguments: &str) -> Self {
        Self::spawn(command(arguments))
    }

    /// Runs the tracer until it exits.
    pub(crate) fn run(arguments: &str) -> Outcome {
        Self::start(arguments).finish()
    }

    /// Starts a prepared command.
    pub(crate) fn spawn(mut command: Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the tracer starts");
        let output = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut errors = child.stderr.take().expect("it is piped");
        let (sender, lines) = channel();
        thread::spawn(move || {
            let mut output = output;
            let mut line = String::new();
            // Lines keep their line ends, so that the result is exactly what the program wrote.
            while output.read_line(&mut line).expect("the output is UTF-8") > 0 {
                if sender.send(std::mem::take(&mut line)).is_err() {
                    break;
                }
            }
        });
        let stderr = thread::spawn(move || {
            let mut text = String::new();
            errors.read_to_string(&mut text).expect("errors are UTF-8");
            text
        });
        Self { child, lines, stdout: String::new(), stderr: Some(stderr) }
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for the first document: the probes are attached and the first snapshot is taken.
    pub(crate) fn wait_for_first_report(&mut self) -> Report {
        self.wait_until(|_| true)
    }

    /// Waits for the next document from now on.
    pub(crate) fn wait_for_next_report(&mut self) -> Report {
        self.stdout.extend(self.lines.try_iter());
        self.wait_until(|_| true)
    }

    /// Waits for a document (`-o json`) that satisfies a condition.
    pub(crate) fn wait_until(&mut self, condition: impl Fn(&Report) -> bool) -> Report {
        let mut latest = String::from("no document at all");
        let deadline = Instant::now() + DEADLINE;
        loop {
            match self.next_line(deadline) {
                Ok(line) => {
                    let report = Report::parse(&line);
                    if condition(&report) {
                        return report;
                    }
                    latest = report.to_string();
                }
                Err(reason) => panic!("{reason} while waiting for a document\n{latest}"),
            }
        }
    }

    /// Waits for a line (`-o table`) that satisfies a condition.
    pub(crate) fn wait_for_line(&mut self, condition: impl Fn(&str) -> bool) {
        let deadline = Instant::now() + DEADLINE;
        loop {
            match self.next_line(deadline) {
                Ok(line) if condition(&line) => return,
                Ok(_) => {}
                Err(reason) => panic!("{reason} while waiting for a line\n{}", self.stdout),
            }
        }
    }

    /// The next line of standard output, or why there is none.
    fn next_line(&mut self, deadline: Instant) -> Result<String, String> {
        let left = deadline.saturating_duration_since(Instant::now());
        match self.lines.recv_timeout(left) {
            Ok(line) => {
                self.stdout.push_str(&line);
                Ok(line)
            }
            Err(reason) => {
                let _ = self.child.kill();
                Err(format!("{reason}; errors: {}", self.errors()))
            }
        }
    }

    /// Ends it as Ctrl-C does.
    pub(crate) fn interrupt(self) -> Outcome {
        self.kill(1, libc::SIGINT);
        self.finish()
    }

    /// Ends it as a service manager does.
    pub(crate) fn terminate(self) -> Outcome {
        self.kill(1, libc::SIGTERM);
        self.finish()
    }

    /// Ends it and its process group, as Ctrl-C does in a terminal.
    pub(crate) fn interrupt_group(self) -> Outcome {
        self.kill(-1, libc::SIGINT);
        self.finish()
    }

    /// Kills it with SIGKILL and waits until it has exited.
    pub(crate) fn kill_at_once(mut self) {
        self.child.kill().expect("it is a child");
        self.child.wait().expect("it is a child");
    }

    /// Stops the process until [`resume`](Self::resume).
    pub(crate) fn stop(&self) {
        self.kill(1, libc::SIGSTOP);
    }

    /// Continues the process.
    pub(crate) fn resume(&self) {
        self.kill(1, libc::SIGCONT);
    }

    fn kill(&self, sign: libc::pid_t, signal: libc::c_int) {
        let pid = libc::pid_t::try_from(self.child.id()).expect("pids are positive");
        // SAFETY: kill touches no memory; the child has not been waited for, so the pid is its own.
        let result = unsafe { libc::kill(sign * pid, signal) };
        assert_eq!(result, 0, "the tracer can be signalled");
    }

    /// Waits until it exits.
    pub(crate) fn finish(mut self) -> Outcome {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) => self.stdout.push_str(&line),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {
                    let _ = self.child.kill();
                    panic!("the tracer does not end; errors: {}\n{}", self.errors(), self.stdout);
                }
            }
        }
        let status = self.child.wait().expect("it is a child");
        let stderr = self.errors();
        let code = status.code().unwrap_or_else(|| panic!("the tracer died: {status}; {stderr}"));
        Outcome { code, stdout: std::mem::take(&mut self.stdout), stderr }
    }

    fn errors(&mut self) -> String {
        let reader = self.stderr.take().expect("only the end takes it");
        // A child of `nsenter` survives when `nsenter` is killed, and keeps the pipe open.
        let deadline = Instant::now() + ERRORS_DEADLINE;
        while !reader.is_finished() {
            if Instant::now() > deadline {
                return "standard error is still open".to_owned();
            }
            thread::sleep(Duration::from_millis(20));
        }
        reader.join().expect("the reader of errors ends")
    }
}

impl Drop for Tracer {
    fn drop(&mut self) {
        // After `finish` these do nothing.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Outcome {
    /// The last document on standard output.
    pub(crate) fn report(&self) -> Report {
        assert_ne!(self.stdout, "", "no document; errors: {}", self.stderr);
        Report::parse(&self.stdout)
    }

    /// Standard output as CSV.
    pub(crate) fn rows(&self) -> Rows {
        Rows::parse(self.stdout.as_bytes())
    }

    /// Asserts that it failed with one line that contains all the words.
    pub(crate) fn assert_one_line_error(&self, words: &[&str]) {
        assert_eq!(self.code, 2, "{self:?}");
        assert_eq!(self.stdout, "", "an error belongs on standard error");
        assert_eq!(self.stderr.lines().count(), 1, "{self:?}");
        for word in words {
            assert!(self.stderr.contains(word), "{word} is not in {:?}", self.stderr);
        }
    }
}
