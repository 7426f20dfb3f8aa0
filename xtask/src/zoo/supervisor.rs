//! The parent of an exhibit's processes: all of them, including daemons, are its descendants, and
//! none outlives it or the harness.

use std::path::Path;
use std::process::{self, Command};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::io::Errno;
use rustix::process::{Pid, WaitOptions, getpid, set_child_subreaper, wait};

use super::exhibit;
use super::processes::{self, Tree};

/// Longest wait for processes that were killed.
const KILLING: Duration = Duration::from_secs(10);

/// Runs an exhibit until its bash exits, which it does when its standard input is closed; then
/// kills all descendants. The harness starts this as a separate process, because orphans are
/// adopted by a process.
///
/// # Errors
/// If bash does not start, or processes remain.
pub(crate) fn run(file: &Path) -> Result<()> {
    set_child_subreaper(Some(getpid())).context("cannot adopt orphans")?;
    let bash = Command::new("bash")
        .arg(exhibit::directory().join("lib.sh"))
        .arg(file)
        .spawn()
        .context("cannot start bash")?;
    let bash = i32::try_from(bash.id()).ok().and_then(Pid::from_raw).context("no pid")?;
    // Adopted processes are also reaped.
    while !matches!(wait(WaitOptions::empty()), Ok(Some((pid, _))) if pid == bash) {}
    kill_descendants()
}

fn kill_descendants() -> Result<()> {
    let deadline = Instant::now() + KILLING;
    loop {
        let descendants = Tree::read().descendants(process::id());
        descendants.iter().copied().for_each(processes::kill);
        loop {
            match wait(WaitOptions::NOHANG) {
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(Errno::CHILD) => return Ok(()),
                Err(error) => return Err(error).context("cannot wait for processes"),
            }
        }
        if Instant::now() > deadline {
            bail!("processes do not exit: {descendants:?}");
        }
        thread::sleep(Duration::from_millis(20));
    }
}
