use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
};

use super::Program;

/// A file descriptor of a puppet.
pub(crate) type Fd = u32;

/// A process that opens, uses and closes sockets on command (`examples/puppet`).
///
/// It is killed when this is dropped.
pub(crate) struct Puppet {
    program: Program,
    pid: u32,
}

/// A listening socket of a puppet.
#[derive(Clone, Copy)]
pub(crate) struct Listener {
    /// Its file descriptor.
    pub(crate) fd: Fd,
    /// Its address.
    pub(crate) address: SocketAddr,
}

impl Puppet {
    /// Starts a puppet that holds nothing.
    pub(crate) fn start() -> Self {
        let program = Program::start(&mut Command::new(executable()));
        let pid = program.pid();
        Self { program, pid }
    }

    /// Starts a puppet that is the first process of a new pid namespace, with a `/proc` of its own.
    pub(crate) fn start_in_own_processes() -> Self {
        let mut unshare = Command::new("unshare");
        unshare.args(["--pid", "--fork", "--kill-child", "--mount-proc"]);
        Self::start_by(unshare.arg(Self::executable()))
    }

    /// Starts a puppet with a command that executes it or has it as its only child.
    pub(crate) fn start_by(command: &mut Command) -> Self {
        let program = Program::start(command);
        let mut puppet = Self { pid: program.pid(), program };
        // It answers, so it has started.
        puppet.ask("close-all");
        while let Some(child) = only_child(puppet.pid) {
            puppet.pid = child;
        }
        puppet
    }

    /// The program that a puppet runs.
    pub(crate) fn executable() -> PathBuf {
        executable()
    }

    /// Starts a puppet in a new network namespace, in which only loopback is up.
    pub(crate) fn start_in_own_network() -> Self {
        let mut puppet = Self::start();
        puppet.ask("own-network");
        puppet
    }

    /// The process id.
    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    /// Inode number of its network namespace.
    pub(crate) fn network(&self) -> u64 {
        let link = fs::read_link(format!("/proc/{}/ns/net", self.pid())).expect("it runs");
        let name = link.to_str().expect("it is ASCII");
        let number = name.strip_prefix("net:[").and_then(|rest| rest.strip_suffix(']'));
        number.expect("net:[N]").parse().expect("N is a number")
    }

    /// Sends a command and returns the numbers of the answer.
    pub(crate) fn ask(&mut self, command: &str) -> Vec<u32> {
        match self.try_ask(command) {
            Ok(numbers) => numbers,
            Err(reason) => panic!("the puppet cannot {command}: {reason}"),
        }
    }

    /// Like [`ask`](Self::ask), but returns the reason for a failure.
    pub(crate) fn try_ask(&mut self, command: &str) -> Result<Vec<u32>, String> {
        let answer = self.program.ask(command);
        match answer.split_once(' ').unwrap_or((&answer, "")) {
            ("ok", numbers) => Ok(numbers
                .split_whitespace()
                .map(|number| number.parse().expect("results are numbers"))
                .collect()),
            (_, reason) => Err(reason.to_owned()),
        }
    }

    /// Listens on a free port of 127.0.0.1.
    pub(crate) fn listen(&mut self) -> Listener {
        self.listen_on("127.0.0.1:0")
    }

    /// Listens on an address; port 0 is a free one.
    pub(crate) fn listen_on(&mut self, address: &str) -> Listener {
        let answer = self.ask(&format!("listen {address}"));
        let mut address: SocketAddr = address.parse().expect("tests know addresses");
        address.set_port(u16::try_from(answer[1]).expect("it is a port"));
        Listener { fd: answer[0], address }
    }

    /// Opens connections.
    pub(crate) fn connect(&mut self, to: Listener, count: usize) -> Vec<Fd> {
        self.ask(&format!("connect {} {count}", to.address))
    }

    /// Accepts connections.
    pub(crate) fn accept(&mut self, listener: Listener, count: usize) -> Vec<Fd> {
        self.ask(&format!("accept {} {count}", listener.fd))
    }

    /// Sends bytes on each connection.
    pub(crate) fn send(&mut self, fds: &[Fd], length: usize) {
        self.ask(&format!("send {} {length}", listed(fds)));
    }

    /// Reads exactly that many bytes from each connection.
    pub(crate) fn receive(&mut self, fds: &[Fd], length: usize) {
        self.ask(&format!("receive {} {length}", listed(fds)));
    }

    /// Closes file descriptors.
    pub(crate) fn close(&mut self, fds: &[Fd]) {
        self.ask(&format!("close {}", listed(fds)));
    }

    /// Waits until that many bytes can be read from each connection.
    pub(crate) fn await_unread(&mut self, fds: &[Fd], length: usize) {
        self.ask(&format!("await-unread {} {length}", listed(fds)));
    }

    /// Waits until each connection is in the state.
    pub(crate) fn await_state(&mut self, fds: &[Fd], state: &str) {
        self.ask(&format!("await-state {} {state}", listed(fds)));
    }

    /// Passes a connection to another puppet over a Unix socket, and keeps it open as well.
    pub(crate) fn pass(&mut self, fd: Fd, receiver: &mut Self, directory: &Path) -> Fd {
        let path = directory.join(format!("passed-{fd}"));
        receiver.expect_passed(&path);
        self.put_in_flight(fd, &path);
        receiver.take_passed()
    }

    /// Listens at `path` for connections that other processes pass.
    pub(crate) fn expect_passed(&mut self, path: &Path) {
        self.ask(&format!("listen-unix {}", path.display()));
    }

    /// Sends a connection to `path`; it stays in flight until it is received.
    pub(crate) fn put_in_flight(&mut self, fd: Fd, path: &Path) {
        self.ask(&format!("send-fd {} {fd}", path.display()));
    }

    /// Receives the next connection that was passed to this process.
    pub(crate) fn take_passed(&mut self) -> Fd {
        self.ask("receive-fd")[0]
    }

    /// Changes the process's name to these bytes.
    pub(crate) fn rename(&mut self, name: &str) {
        let digits: Vec<String> = name.bytes().map(|byte| format!("{byte:02x}")).collect();
        self.ask(&format!("comm {}", digits.concat()));
    }

    /// Stops the process, as job control does.
    pub(crate) fn stop(&self) {
        let pid = libc::pid_t::try_from(self.pid()).expect("pids are positive");
        // SAFETY: kill touches no memory; the child has not been waited for, so the pid is its own.
        assert_eq!(unsafe { libc::kill(pid, libc::SIGSTOP) }, 0, "the puppet can be signalled");
    }

    /// Ends the process and waits until it has exited.
    pub(crate) fn end(self) {
        drop(self);
    }
}

/// File descriptors in the syntax of the puppet's commands.
pub(crate) fn listed(fds: &[Fd]) -> String {
    fds.iter().map(Fd::to_string).collect::<Vec<_>>().join(",")
}

fn only_child(pid: u32) -> Option<u32> {
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
    children.expect("it runs").trim().parse().ok()
}

fn executable() -> PathBuf {
    let directory = Path::new(env!("CARGO_BIN_EXE_tracer")).parent().expect("it is in a directory");
    let path = directory.join("examples/puppet");
    assert!(path.exists(), "{} is missing: cargo build --examples", path.display());
    path
}
