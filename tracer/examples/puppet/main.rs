//! A program that does with its TCP sockets exactly what its commands say, for the end-to-end
//! tests.
//!
//! It reads commands from standard input, one per line, and answers each with one line, `ok` and
//! the results or `error` and the reason, once the kernel has completed it. So a test never sleeps
//! to wait for it. It exits at EOF on its input, so it cannot outlive a test. [`command::run`]
//! lists the commands.

mod churn;
mod command;
mod fd_passing;
mod network;
mod process;
mod puppet;
mod socket;
mod traffic;

use std::io::{self, Write as _};

use crate::puppet::Puppet;

fn main() -> io::Result<()> {
    let mut puppet = Puppet::default();
    let mut stdout = io::stdout();
    for line in io::stdin().lines() {
        match command::run(&mut puppet, &line?) {
            Ok(results) if results.is_empty() => writeln!(stdout, "ok")?,
            Ok(results) => writeln!(stdout, "ok {}", results.join(" "))?,
            Err(error) => writeln!(stdout, "error {error}")?,
        }
        stdout.flush()?;
    }
    Ok(())
}
