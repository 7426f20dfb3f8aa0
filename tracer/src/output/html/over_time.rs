//! The number of open connections over time: by process and destination, and by verdict.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use jiff::Timestamp;
use maud::{Markup, html};
use tracer_core::{Direction, Finding, ProcessKey, Verdict};

use super::{
    pattern,
    stack::{Series, Stack},
    text::visible,
};
use crate::output::incident::{self, Incident};
use crate::output::{
    history::{Destination, History, PLACES_MAX, Place, Sample},
    quantity::{counted, grouped},
};

/// The maximum number of series distinguished; the others are added up in one more.
const SERIES_MAX: usize = pattern::COUNT - 1;

pub(super) fn section(incident: &Incident<'_>) -> Markup {
    let history = incident.history;
    let clock = incident.context.clock;
    let times: Vec<_> = history.samples.iter().map(|it| clock.wall_time(it.at)).collect();
    html! {
        section {
            h2 { "Open connections over time" }
            p { (sampled(history)) }
            (by_place(incident, &times))
            (by_verdict(history, &times))
        }
    }
}

/// How many snapshots the charts show.
fn sampled(history: &History) -> String {
    let shown = history.samples.len() as u64;
    let snapshots = counted(history.snapshots, "snapshot", "snapshots");
    let thinned = if history.snapshots > shown {
        format!("The charts show {} of {snapshots}, evenly sampled.", grouped(shown))
    } else {
        format!("The charts show all {snapshots}.")
    };
    let crowded = if history.samples.iter().any(|sample| sample.elsewhere > 0) {
        let max = grouped(PLACES_MAX as u64);
        format!(" There were more than {max} destinations; the rest is counted as others.")
    } else {
        String::new()
    };
    format!("{thinned}{crowded}")
}

fn by_place(incident: &Incident<'_>, times: &[Timestamp]) -> Markup {
    let history = incident.history;
    let named = Named::of(incident);
    let mut totals: BTreeMap<Name, Vec<u64>> = BTreeMap::new();
    for (index, sample) in history.samples.iter().enumerate() {
        for (number, count) in &sample.by_place {
            let Some(place) = history.places.get(*number) else { continue };
            let values = totals.entry(named.name(place)).or_insert_with(|| zeros(history));
            values[index] += count;
        }
    }
    // Destinations with leaks come first, however small.
    let mut ranked: Vec<(Name, Vec<u64>)> = totals.into_iter().collect();
    ranked.sort_by_key(|(name, values)| {
        (Reverse(named.leaking.contains(name)), Reverse(values.iter().max().copied()))
    });
    let rest = ranked.split_off(ranked.len().min(SERIES_MAX));
    let mut series: Vec<Series> = ranked
        .into_iter()
        .enumerate()
        .map(|(pattern, (name, values))| Series { name: name.text, pattern, values })
        .collect();
    let others = rest.len();
    let mut values: Vec<u64> = history.samples.iter().map(|sample| sample.elsewhere).collect();
    for (_, part) in rest {
        values.iter_mut().zip(part).for_each(|(sum, value)| *sum += value);
    }
    if values.iter().any(|value| *value > 0) {
        let name = match others {
            0 => "others".to_owned(),
            _ => counted(others as u64, "other", "others"),
        };
        series.push(Series { name, pattern: pattern::COUNT - 1, values });
    }
    // The most important series is on top.
    series.reverse();
    let stack = Stack {
        id: "places",
        title: "Open connections by process and destination",
        of: "Process and destination",
        times,
        series: &series,
    };
    stack.markup()
}

/// The name of a series; series of equal names are merged.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Name {
    process: ProcessKey,
    text: String,
}

/// The names of places, and which of them have leaks.
struct Named {
    /// Remote ports whose addresses are grouped in one finding.
    by_port: BTreeSet<(ProcessKey, u16)>,
    leaking: BTreeSet<Name>,
}

impl Named {
    fn of(incident: &Incident<'_>) -> Self {
        let findings = || incident.report.findings.iter().filter(|it| incident::is_leak(it));
        let by_port = findings()
            .filter(|it| it.direction == Direction::Outbound && it.remote.is_none())
            .filter_map(|it| Some((it.process, it.remote_port?)));
        let mut named = Self { by_port: by_port.collect(), leaking: BTreeSet::new() };
        named.leaking = findings().filter_map(|it| Some(named.name(&place(it)?))).collect();
        named.leaking.extend(findings().filter_map(|it| {
            let port = it.remote_port.filter(|_| it.remote.is_none())?;
            Some(Named::port_name(it.process, &it.comm.0, port))
        }));
        named
    }

    fn name(&self, place: &Place) -> Name {
        let process = format!("{}[{}]", visible(&place.comm), place.process.pid);
        let text = match place.destination {
            Destination::Outbound(remote)
                if self.by_port.contains(&(place.process, remote.port())) =>
            {
                return Self::port_name(place.process, &place.comm, remote.port());
            }
            Destination::Outbound(remote) => format!("{process} to {remote}"),
            Destination::Inbound(port) => format!("{process} accepted on port {port}"),
        };
        Name { process: place.process, text }
    }

    fn port_name(process: ProcessKey, comm: &str, port: u16) -> Name {
        let text = format!("{}[{}] to port {port} of many addresses", visible(comm), process.pid);
        Name { process, text }
    }
}

fn place(finding: &Finding) -> Option<Place> {
    let destination = match finding.direction {
        Direction::Outbound => Destination::Outbound(finding.remote?),
        Direction::Inbound => Destination::Inbound(finding.local_port?),
    };
    Some(Place { process: finding.process, comm: finding.comm.0.to_string(), destination })
}

fn by_verdict(history: &History, times: &[Timestamp]) -> Markup {
    let count = |sample: &Sample, verdict: &Option<Verdict>| {
        sample.by_verdict.get(verdict).copied().unwrap_or_default()
    };
    let verdicts: BTreeSet<Option<Verdict>> =
        history.samples.iter().flat_map(|sample| sample.by_verdict.keys().copied()).collect();
    let mut ranked: Vec<(Option<Verdict>, Vec<u64>)> = verdicts
        .into_iter()
        .map(|verdict| {
            (verdict, history.samples.iter().map(|sample| count(sample, &verdict)).collect())
        })
        .collect();
    ranked.sort_by_key(|(verdict, values)| {
        (Reverse(verdict.is_some()), Reverse(values.iter().max().copied()))
    });
    let mut series: Vec<Series> = Vec::new();
    for (index, (verdict, values)) in ranked.into_iter().enumerate() {
        let name = verdict.map_or("no finding", Verdict::name).to_owned();
        // There are more verdicts than patterns; the letters then distinguish them.
        let pattern = verdict.map_or(pattern::COUNT - 1, |_| index % SERIES_MAX);
        series.push(Series { name, pattern, values });
    }
    // Connections without a finding are at the bottom.
    series.reverse();
    let stack = Stack {
        id: "verdicts",
        title: "Open connections by verdict",
        of: "Verdict",
        times,
        series: &series,
    };
    stack.markup()
}

fn zeros(history: &History) -> Vec<u64> {
    vec![0; history.samples.len()]
}
