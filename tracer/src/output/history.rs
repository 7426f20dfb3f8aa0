//! How the open connections developed from look to look, in a bounded number of samples.

use std::{collections::BTreeMap, net::SocketAddr};

use tracer_core::{Confidence, Connection, Direction, ProcessKey, Report, Timestamp, Verdict};

/// Samples kept; where there were more looks, only some of them are.
pub(crate) const SAMPLES_MAX: usize = 600;
/// Places told apart; connections of further ones are counted together.
pub(crate) const PLACES_MAX: usize = 10_000;
/// Processes whose descriptors are kept of one look.
const PROCESSES_MAX: usize = 1_000;

/// The open connections of a run over time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct History {
    /// How many looks there were.
    pub(crate) looks: u64,
    /// Some of them, the first and the last one included, in order.
    pub(crate) samples: Vec<Sample>,
    /// Whose connections they are and where to; samples name them by their index.
    pub(crate) places: Vec<Place>,
    numbers: BTreeMap<(ProcessKey, Destination), usize>,
    /// One look in two to the power of this is sampled.
    halvings: u32,
}

/// The open connections at one look.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sample {
    pub(crate) at: Timestamp,
    /// How many there are by place.
    pub(crate) by_place: BTreeMap<usize, u64>,
    /// Those of places that are not told apart.
    pub(crate) elsewhere: u64,
    /// How many there are by verdict; without one, none.
    pub(crate) by_verdict: BTreeMap<Option<Verdict>, u64>,
    /// Open descriptors of the processes that have a headline, of the first ones if there are very
    /// many.
    pub(crate) descriptors: BTreeMap<ProcessKey, u64>,
}

/// A process and where its connections lead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) process: ProcessKey,
    /// Its name, as the host chose it.
    pub(crate) comm: String,
    pub(crate) destination: Destination,
}

/// Where connections lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Destination {
    /// Out, to an address and port.
    Outbound(SocketAddr),
    /// In, to a port of this host.
    Inbound(u16),
}

impl History {
    /// Samples a look, if it is its turn. The report has to have all connections.
    pub(crate) fn look(&mut self, report: impl FnOnce() -> Report) {
        let is_its_turn = self.looks.is_multiple_of(1 << self.halvings);
        self.looks += 1;
        if !is_its_turn {
            return;
        }
        if self.samples.len() == SAMPLES_MAX {
            self.halve();
        }
        self.add(&report());
    }

    /// Takes in how it ended, whoever's turn it is.
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
            sample.descriptors.insert(summary.key, summary.used_fds());
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

/// Every connection once, with the surest of its verdicts.
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
