//! `tracer demo`: traces a leaking client and its server live.

mod peers;

use std::{
    env,
    ffi::CStr,
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    os::unix::process::CommandExt as _,
    process::{Child, ChildStdin, Command, Stdio},
};

use anyhow::{Context as _, Result, bail};

use super::watch;
use crate::{
    cli::Demo,
    collect::{kernel::hooks::AttachFamily, plan::Plan},
    environment::Environment,
    output::exit_code,
};

/// Starts client and server, watches them for the given time, and stops them.
///
/// # Errors
/// The programs cannot be started, or watching fails.
pub(crate) fn run(
    demo: &Demo,
    attach_family: Option<AttachFamily>,
    environment: Environment,
) -> Result<u8> {
    let mut server = Peer::start(&["demo-server"])?;
    let address = server.line().context("the demo server did not print its address")?;
    let client = Peer::start(&["demo-client", &address])?;
    let pids = [server.child.id(), client.child.id()];
    let (plan, output) = demo.plan(&pids);
    watch::run(&Plan { attach_family, ..plan }, output, environment)
}

/// The server that the demo traces.
///
/// # Errors
/// The server cannot listen.
pub(crate) fn run_server() -> Result<u8> {
    set_name(c"demo-server");
    peers::run_server()?;
    Ok(exit_code::CLEAN)
}

/// The leaking client that the demo traces.
///
/// # Errors
/// The client cannot connect.
pub(crate) fn run_client(server: SocketAddr) -> Result<u8> {
    set_name(c"demo-client");
    peers::run_client(server)?;
    Ok(exit_code::CLEAN)
}

/// Sets the name of this process (`/proc/PID/comm`).
fn set_name(name: &CStr) {
    // If this fails, the processes are shown as `tracer`.
    let _ = rustix::thread::set_name(name);
}

/// A child process that runs this program. It exits at EOF on its standard input, so it never
/// outlives its parent.
struct Peer {
    child: Child,
    stdin: Option<ChildStdin>,
}

impl Peer {
    fn start(arguments: &[&str]) -> Result<Self> {
        let program = env::current_exe().context("cannot find the path of the running tracer")?;
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // A process group of its own, so that Ctrl-C ends only the tracer, and its last report
            // still shows the open connections.
            .process_group(0)
            .spawn()
            .context("cannot start the demo processes")?;
        let stdin = child.stdin.take();
        Ok(Self { child, stdin })
    }

    fn line(&mut self) -> Result<String> {
        let Some(output) = self.child.stdout.take() else { bail!("its output was read before") };
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        let line = line.trim();
        if line.is_empty() {
            bail!("it exited at once");
        }
        // The line is a port, or an address with port.
        Ok(if line.contains(':') { line.to_owned() } else { format!("127.0.0.1:{line}") })
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        drop(self.stdin.take());
        // This fails if it has already exited.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
