//! The baseline without tracer: counting the connections that `ss` shows.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::time::Duration;

use anyhow::Result;

use crate::{command, setup};

/// A baseline flags a process with this many connections, as tracer does (`--min-count`).
const COUNT_MIN: u64 = 5;

/// Connections of one process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// In CLOSE_WAIT.
    pub(crate) close_wait: u64,
    /// Nothing sent and nothing received for longer than `--idle`.
    pub(crate) idle: u64,
}

impl Counts {
    fn max(self, other: Self) -> Self {
        Self { close_wait: self.close_wait.max(other.close_wait), idle: self.idle.max(other.idle) }
    }

    /// Whether the CLOSE_WAIT sockets are enough to flag.
    pub(crate) fn flags_close_wait(self) -> bool {
        self.close_wait >= COUNT_MIN
    }

    /// Whether the idle sockets are enough to flag.
    pub(crate) fn flags_idle(self) -> bool {
        self.idle >= COUNT_MIN
    }
}

/// The counts of every process.
#[derive(Debug, Default)]
pub(crate) struct Baseline {
    processes: BTreeMap<u32, Counts>,
}

impl Baseline {
    /// Runs `ss`, which shows the network namespace of its caller.
    ///
    /// # Errors
    /// `ss` fails.
    pub(crate) fn take(idle: Duration) -> Result<Self> {
        let mut ss: Command = setup::as_root("ss");
        Ok(Self::parse(&command::output(ss.args(["-tanpieHO"]))?, idle))
    }

    /// The higher of both counts of each process.
    #[must_use]
    pub(crate) fn or(mut self, other: Self) -> Self {
        for (pid, counts) in other.processes {
            let highest = self.processes.entry(pid).or_default();
            *highest = highest.max(counts);
        }
        self
    }

    fn parse(output: &str, idle: Duration) -> Self {
        let mut baseline = Self::default();
        for line in output.lines() {
            baseline.add(line, idle);
        }
        baseline
    }

    fn add(&mut self, line: &str, idle: Duration) {
        let Some(state) = line.split_whitespace().next() else { return };
        if state == "LISTEN" {
            return;
        }
        // A socket with several file descriptors in one process is one connection.
        let owners: BTreeSet<u32> = numbers_after(line, "pid=").collect();
        // ss does not print fields that are 0.
        let age = |name| Duration::from_millis(numbers_after(line, name).next().unwrap_or(0));
        let is_idle = age("lastsnd:") > idle && age("lastrcv:") > idle;
        for pid in owners {
            let counts = self.processes.entry(pid).or_default();
            counts.close_wait += u64::from(state == "CLOSE-WAIT");
            counts.idle += u64::from(is_idle);
        }
    }

    /// The highest counts of one of these processes.
    pub(crate) fn of(&self, processes: &BTreeSet<u32>) -> Counts {
        let counts = processes.iter().filter_map(|pid| self.processes.get(pid));
        counts.fold(Counts::default(), |highest, counts| highest.max(*counts))
    }
}

/// The numbers that follow `name` in `line`.
fn numbers_after<'a, N: std::str::FromStr>(
    line: &'a str,
    name: &'a str,
) -> impl Iterator<Item = N> + 'a {
    line.split(name).skip(1).filter_map(|rest| {
        let end = rest.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(rest.len());
        rest.get(..end)?.parse().ok()
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::time::Duration;

    use super::{Baseline, Counts};

    const OUTPUT: &str = r#"
LISTEN 0 4096 127.0.0.1:80 0.0.0.0:* users:(("api",pid=7,fd=3)) ino:1 sk:1 cubic
ESTAB 0 0 127.0.0.1:1 127.0.0.1:80 users:(("api",pid=7,fd=4),("api",pid=7,fd=9),("job",pid=8,fd=4)) ino:2 sk:2 cubic lastsnd:11000 lastrcv:10999 lastack:1
ESTAB 0 0 127.0.0.1:2 127.0.0.1:80 users:(("api",pid=7,fd=5)) ino:3 sk:3 cubic lastsnd:11000 lastack:1
CLOSE-WAIT 1 0 127.0.0.1:3 127.0.0.1:80 users:(("api",pid=7,fd=6)) ino:4 sk:4 cubic lastsnd:12000 lastrcv:12000
TIME-WAIT 0 0 127.0.0.1:4 127.0.0.1:80 timer:(timewait,1sec,0) ino:0 sk:5
"#;

    #[test]
    fn counts_connections_by_process() {
        let baseline = Baseline::parse(OUTPUT, Duration::from_secs(10));
        let of = |pids: &[u32]| baseline.of(&pids.iter().copied().collect::<BTreeSet<_>>());
        assert_eq!(of(&[7]), Counts { close_wait: 1, idle: 2 });
        assert_eq!(of(&[8]), Counts { close_wait: 0, idle: 1 });
        assert_eq!(of(&[7, 8]), Counts { close_wait: 1, idle: 2 });
        assert_eq!(of(&[9]), Counts::default());
    }

    #[test]
    fn of_two_runs_the_higher_counts() {
        let earlier = Baseline::parse(OUTPUT, Duration::from_secs(10));
        let later = Baseline::parse("", Duration::from_secs(10));
        let seven = BTreeSet::from([7]);
        assert_eq!(later.or(earlier).of(&seven), Counts { close_wait: 1, idle: 2 });
    }

    #[test]
    fn five_are_flagged() {
        assert!(Counts { close_wait: 5, idle: 4 }.flags_close_wait());
        assert!(!Counts { close_wait: 5, idle: 4 }.flags_idle());
    }
}
