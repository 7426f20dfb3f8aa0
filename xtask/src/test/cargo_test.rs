//! Runs `cargo test`, shows what it says and adds up its results.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::tally::Tally;

/// How long the output may stay silent after cargo has ended before it counts as complete.
const SILENCE: Duration = Duration::from_secs(1);

/// Runs `command`, a `cargo test`; a build that fails counts as one failed test.
pub(crate) fn run(command: &mut Command) -> Tally {
    follow(command).unwrap_or_else(|error| {
        println!("FAILED: {error:#}");
        Tally::FAILED
    })
}

fn follow(command: &mut Command) -> Result<Tally> {
    let mut cargo = command.stdout(Stdio::piped()).spawn().context("cannot start `cargo test`")?;
    let output = cargo.stdout.take().context("`cargo test` has no output")?;
    let (sender, lines) = mpsc::channel();
    thread::spawn(move || {
        // Ends when the output does, or when nobody listens any more.
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
            // A process that a test left behind may keep the output open for ever.
            Err(RecvTimeoutError::Timeout) if cargo.try_wait()?.is_none() => {}
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
        }
    }
    let status = cargo.wait().context("cannot wait for `cargo test`")?;
    if !status.success() && tally.failed == 0 {
        println!("FAILED: `cargo test` ended with {status}");
        tally += Tally::FAILED;
    }
    Ok(tally)
}
