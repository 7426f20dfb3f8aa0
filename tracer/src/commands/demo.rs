//! `tracer demo`: a leaking client and its server, traced live.

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
    collect::{kernel::hooks::Mechanism, plan::Plan},
    output::exit_code,
};

/// Starts the two, watches them for a while, and ends them.
///
/// # Errors
/// They cannot be started, or watching fails.
pub(crate) fn run(demo: &Demo, mechanism: Option<Mechanism>) -> Result<u8> {
    let mut server = Peer::start(&["demo-server"])?;
    let address = server.line().context("the demo's server did not say where it listens")?;
    let client = Peer::start(&["demo-client", &address])?;
    let pids = [server.child.id(), client.child.id()];
    let (plan, output) = demo.plan(&pids);
    watch::run(&Plan { mechanism, ..plan }, output)
}

/// The server that the demo traces.
///
/// # Errors
/// It cannot listen.
pub(crate) fn run_server() -> Result<u8> {
    be_called(c"demo-server");
    peers::run_server()?;
    Ok(exit_code::CLEAN)
}

/// The leaking client that the demo traces.
///
/// # Errors
/// It cannot connect.
pub(crate) fn run_client(server: SocketAddr) -> Result<u8> {
    be_called(c"demo-client");
    peers::run_client(server)?;
    Ok(exit_code::CLEAN)
}

/// Gives this process a name of its own in every listing, the tracer's own included.
fn be_called(name: &CStr) {
    // Only what listings show depends on it.
    let _ = rustix::thread::set_name(name);
}

/// A child process of this same program. It ends when its standard input does, so it never
/// outlives this one, however that ends.
struct Peer {
    child: Child,
    stdin: Option<ChildStdin>,
}

impl Peer {
    fn start(arguments: &[&str]) -> Result<Self> {
        let program = env::current_exe().context("cannot find the tracer's own program")?;
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // Ctrl-C is for the tracer: its summary is about what was there before.
            .process_group(0)
            .spawn()
            .context("cannot start the demo's processes")?;
        let stdin = child.stdin.take();
        Ok(Self { child, stdin })
    }

    fn line(&mut self) -> Result<String> {
        let Some(output) = self.child.stdout.take() else { bail!("it has no output") };
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        let line = line.trim();
        if line.is_empty() {
            bail!("it said nothing");
        }
        // The server prints its port, or all of its address.
        Ok(if line.contains(':') { line.to_owned() } else { format!("127.0.0.1:{line}") })
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        drop(self.stdin.take());
        // It is gone already if this fails.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
