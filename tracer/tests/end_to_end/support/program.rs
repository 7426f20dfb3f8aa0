use std::{
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
    time::Duration,
};

/// Longest wait for a line.
const DEADLINE: Duration = Duration::from_secs(100);

/// A child process that takes commands line by line, and answers each with a line once it is done.
///
/// It is killed when this is dropped.
pub(crate) struct Program {
    child: Child,
    commands: Option<ChildStdin>,
    lines: Receiver<String>,
}

impl Program {
    /// Starts it.
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
        let commands = child.stdin.take();
        let output = BufReader::new(child.stdout.take().expect("it is piped"));
        let (sender, lines) = channel();
        thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Self { child, commands, lines }
    }

    /// Starts one that prints `ready` once it is ready, with arguments that are split at white
    /// space.
    pub(crate) fn start_ready(executable: &Path, arguments: &str) -> Self {
        let mut program = Self::start(Command::new(executable).args(arguments.split_whitespace()));
        assert_eq!(program.line(), "ready", "{} {arguments}", executable.display());
        program
    }

    /// The process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a command and returns the answer.
    pub(crate) fn ask(&mut self, command: &str) -> String {
        let commands = self.commands.as_mut().expect("only drop takes it");
        writeln!(commands, "{command}").expect("the program lives");
        self.line()
    }

    /// Waits for the next line.
    pub(crate) fn line(&mut self) -> String {
        self.lines.recv_timeout(DEADLINE).expect("the program answers")
    }

    /// Kills it and waits until it has exited.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("it is a child");
        self.child.wait().expect("it is a child");
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        drop(self.commands.take());
        // A program that is blocked elsewhere does not see EOF on its input.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
