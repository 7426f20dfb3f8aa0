//! The open connections over time, in a bounded number of samples.

use std::{collections::BTreeMap, net::SocketAddr};

use tracer_core::{Confidence, Connection, Direction, ProcessKey, Report, Timestamp, Verdict};

/// The maximum number of samples; in longer runs, only every n-th snapshot is sampled.
pub(crate) const SAMPLES_MAX: usize = 600;
/// The maximum number of places distinguished; connections of further ones are counted together.
pub(crate) const PLACES_MAX: usize = 10_000;
/// The maximum number of processes whose fd counts are kept per snapshot.
const PROCESSES_MAX: usize = 1_000;

/// The open connections of a run over time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct History {
    /// The number of snapshots.
    pub(crate) snapshots: u64,
    /// A sample of them in order, including the first and the last.
    pub(crate) samples: Vec<Sample>,
    /// Processes and destinations; samples refer to them by index.
    pub(crate) places: Vec<Place>,
    numbers: BTreeMap<(ProcessKey, Destination), usize>,
    /// One snapshot in `2^halvings` is sampled.
    halvings: u32,
}

/// The open connections at one snapshot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sample {
    pub(crate) at: Timestamp,
    /// The number of open connections by place.
    pub(crate) by_place: BTreeMap<usize, u64>,
    /// The number of open connections of places beyond [`PLACES_MAX`].
    pub(crate) elsewhere: u64,
    /// The number of open connections by verdict; `None` for those without a finding.
    pub(crate) by_verdict: BTreeMap<Option<Verdict>, u64>,
    /// Open file descriptors of the processes in the report, for at most [`PROCESSES_MAX`]
    /// processes.
    pub(crate) fds: BTreeMap<ProcessKey, u64>,
}

/// A process and a destination of its connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) process: ProcessKey,
    /// The name of the process, not escaped.
    pub(crate) comm: String,
    pub(crate) destination: Destination,
}

/// A destination of connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Destination {
    /// Outbound, to an address and port.
    Outbound(SocketAddr),
    /// Inbound, to a port of this host.
    Inbound(u16),
}

impl History {
    /// Samples a snapshot if it is due. The report must contain all connections.
    pub(crate) fn snapshot(&mut self, report: impl FnOnce() -> Report) {
        let is_its_turn = self.snapshots.is_multiple_of(1 << self.halvings);
        self.snapshots += 1;
        if !is_its_turn {
            return;
        }
        if self.samples.len() == SAMPLES_MAX {
            self.halve();
        }
        self.add(&report());
    }

    /// Adds the last report as a sample in any case.
    pub(crate) fn end(&mut self, report: &Report) {
        let is_newer = |last: &Sample| last.at < report.at;
        if self.samples.last().is_none_or(is_newer) {
            self.samples.truncate(SAMPLES_MAX - 1);
            self.add(report);
        }
    }

    fn halve(&mut self) {
        let mut is_kept = false;
        self.samples.retain(|_| {
            is_kept = !is_kept;
            is_kept
        });
        self.halvings += 1;
    }

    fn add(&mut self, report: &Report) {
        let mut sample = Sample { at: report.at, ..Sample::default() };
        for summary in report.processes.iter().take(PROCESSES_MAX) {
            sample.fds.insert(summary.key, summary.used_fds());
        }
        for (connection, verdict) in connections(report) {
            *sample.by_verdict.entry(verdict).or_default() += 1;
            match self.number(connection) {
                Some(place) => *sample.by_place.entry(place).or_default() += 1,
                None => sample.elsewhere += 1,
            }
        }
        self.samples.push(sample);
    }

    fn number(&mut self, connection: &Connection) -> Option<usize> {
        let owner = connection.owners.first()?;
        let destination = match connection.direction {
            Direction::Outbound => Destination::Outbound(connection.remote),
            Direction::Inbound => Destination::Inbound(connection.local.port()),
        };
        let known = self.numbers.get(&(owner.key, destination));
        known.copied().or_else(|| {
            let number = self.places.len();
            (number < PLACES_MAX).then(|| {
                let comm = owner.comm.0.to_string();
                self.places.push(Place { process: owner.key, comm, destination });
                self.numbers.insert((owner.key, destination), number);
                number
            })
        })
    }
}

/// Every connection once, with the verdict of the highest confidence.
fn connections(report: &Report) -> impl Iterator<Item = (&Connection, Option<Verdict>)> {
    let mut flagged: BTreeMap<_, (Confidence, Verdict, &Connection)> = BTreeMap::new();
    for finding in &report.findings {
        for connection in &finding.connections {
            let found = (finding.confidence, finding.verdict, connection);
            let entry = flagged.entry(connection.id).or_insert(found);
            if finding.confidence > entry.0 {
                *entry = found;
            }
        }
    }
    let flagged = flagged.into_values().map(|(_, verdict, connection)| (connection, Some(verdict)));
    flagged.chain(report.unflagged.iter().map(|connection| (connection, None)))
}

#[cfg(test)]
mod tests;
