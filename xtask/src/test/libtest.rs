//! Runs a test program, shows its output and adds up its results.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::command;
use crate::tally::Tally;

/// After the program has exited, its output is complete once it has been silent for this long.
const SILENCE: Duration = Duration::from_secs(1);

/// Runs a test program, or `cargo test --doc`. If it does not start, or fails without a failed
/// test, that counts as one failure.
pub(super) fn run(command: &mut Command) -> Tally {
    follow(command).unwrap_or_else(|error| {
        println!("FAILED: {error:#}");
        Tally::FAILED
    })
}

fn follow(command: &mut Command) -> Result<Tally> {
    let name = command::describe(command);
    let mut tests = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start `{name}`"))?;
    let output = tests.stdout.take().context("the output is piped")?;
    let (sender, lines) = mpsc::channel();
    thread::spawn(move || {
        // Ends at EOF, or when the receiver was dropped.
        for line in BufReader::new(output).split(b'\n').map_while(Result::ok) {
            if sender.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                break;
            }
        }
    });

    let mut tally = Tally::default();
    loop {
        match lines.recv_timeout(SILENCE) {
            Ok(line) => {
                println!("{line}");
                if let Some(result) = Tally::parse(&line) {
                    tally += result;
                }
            }
            // A process that a test left behind may keep the pipe open forever.
            Err(RecvTimeoutError::Timeout) if tests.try_wait()?.is_none() => {}
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
        }
    }
    let status = tests.wait().with_context(|| format!("cannot wait for `{name}`"))?;
    if !status.success() && tally.failed == 0 {
        println!("FAILED: `{name}` exited with {status}");
        tally += Tally::FAILED;
    }
    Ok(tally)
}
