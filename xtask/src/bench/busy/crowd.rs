//! A host with many small programs: idle pools, pools in use, leaks, and a steady rate of new
//! connections.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, bail};

use crate::bench::helper::Helper;
use crate::bench::measure;

/// How many connections the processes have, in turn.
const PAIRS: [usize; 10] = [1, 1, 2, 2, 3, 5, 5, 8, 10, 10];
/// Other files that each process has open.
const FILES: usize = 10;
/// Processes that open and close connections.
const VISITORS: usize = 10;
/// How long those connections are open.
const KEPT: Duration = Duration::from_secs(2);
/// Pause between two uses of a pool in frequent use.
const OFTEN: Duration = Duration::from_secs(5);
/// Pause between two uses of a pool in occasional use: longer than `--idle`.
const RARELY: Duration = Duration::from_secs(90);
/// Unread data on each connection of a process that does not read, in bytes: more than TLS session
/// tickets.
const UNREAD: usize = 8_192;

/// How a process uses its connections, both ends of which are in the process.
#[derive(Clone, Copy)]
enum Pool {
    /// They were used once.
    Idle,
    /// They are used repeatedly.
    Used { every: Duration },
    /// The servers have closed them, the clients have not.
    Closed,
    /// The clients do not read.
    Unread,
}

impl Pool {
    fn of(process: usize) -> Self {
        match process / PAIRS.len() % 10 {
            0..=3 => Self::Idle,
            4..=6 => Self::Used { every: OFTEN },
            7 => Self::Used { every: RARELY },
            8 => Self::Closed,
            _ => Self::Unread,
        }
    }
}

/// The programs. They are ended when this is dropped.
pub(super) struct Crowd(Vec<Helper>);

impl Crowd {
    /// Starts this many processes, and others that together open this many connections per second.
    ///
    /// # Errors
    /// If one does not start, or the host does not allow it.
    pub(super) fn start(puppet: &Path, processes: usize, opened_per_s: usize) -> Result<Self> {
        let mut helpers = Vec::with_capacity(processes + VISITORS);
        for number in 0..processes {
            let mut helper = Helper::start(&mut Command::new(puppet))?;
            fill(&mut helper, number)?;
            helpers.push(helper);
        }
        let pause_ms = 1_000 * VISITORS / opened_per_s.max(1);
        for number in 1..=VISITORS {
            let mut helper = Helper::start(&mut Command::new(puppet))?;
            let kept_ms = KEPT.as_millis();
            helper.ask(&format!("visit 127.0.100.{number}:0 every {pause_ms} keep {kept_ms}"))?;
            helpers.push(helper);
        }
        Ok(Self(helpers))
    }

    /// The CPU time that all of them have used.
    ///
    /// # Errors
    /// If one has exited.
    pub(super) fn cpu_time(&self) -> Result<Duration> {
        self.0.iter().map(|helper| measure::cpu_time(helper.pid())).sum()
    }
}

/// Opens the connections of one process, on an address of its own, so that ports do not run out.
fn fill(helper: &mut Helper, number: usize) -> Result<()> {
    helper.ask(&format!("open-files {FILES}"))?;
    let address = format!("127.0.{}.{}", 1 + number / 250, 1 + number % 250);
    let listener = helper.ask(&format!("listen {address}:0"))?;
    let [fd, port] = listener[..] else { bail!("no listener: {listener:?}") };
    let pairs = PAIRS[number % PAIRS.len()];
    let clients = list(&helper.ask(&format!("connect {address}:{port} {pairs}"))?);
    let servers = list(&helper.ask(&format!("accept {fd} {pairs}"))?);
    let exchange = format!("exchange {clients} {servers}");
    let pool = Pool::of(number);
    let last = match pool {
        Pool::Used { every } => format!("{exchange} every {}", every.as_millis()),
        Pool::Idle | Pool::Closed | Pool::Unread => exchange,
    };
    helper.ask(&last)?;
    match pool {
        Pool::Closed => helper.ask(&format!("close {servers}"))?,
        Pool::Unread => helper.ask(&format!("send {servers} {UNREAD}"))?,
        Pool::Idle | Pool::Used { .. } => Vec::new(),
    };
    Ok(())
}

fn list(fds: &[u64]) -> String {
    fds.iter().map(u64::to_string).collect::<Vec<_>>().join(",")
}
