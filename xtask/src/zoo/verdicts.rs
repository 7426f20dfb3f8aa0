//! The verdicts of a running tracer, from the rows of its CSV output. Unlike complete documents,
//! they cost it nothing while nothing changes, and unlike the lines of `-o jsonl`, they have every
//! change of a count.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::finding::Finding;
use crate::corpus::Confidence;

/// Rows of one judgment are at most this far apart.
const APART_S: f64 = 0.4;

/// The columns of a row that are used here.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) struct Row {
    time: String,
    event: Event,
    conn_id: String,
    pid: Option<u32>,
    comm: String,
    direction: Direction,
    lport: u16,
    raddr: String,
    rport: u16,
    verdict: String,
    confidence: Confidence,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Event {
    Flagged,
    Retracted,
    Closed,
    Standing,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Direction {
    Outbound,
    Inbound,
}

impl Row {
    /// The finding of this connection alone.
    fn finding(&self) -> Option<Finding> {
        let remote = if self.raddr.contains(':') {
            format!("[{}]:{}", self.raddr, self.rport)
        } else {
            format!("{}:{}", self.raddr, self.rport)
        };
        let is_outbound = self.direction == Direction::Outbound;
        Some(Finding {
            pid: self.pid?,
            comm: self.comm.clone(),
            verdict: self.verdict.clone(),
            confidence: self.confidence,
            count: 1,
            remote: is_outbound.then_some(remote),
            local_port: (!is_outbound).then_some(self.lport),
            evidence: Vec::new(),
            caveats: Vec::new(),
            retracted_at: None,
        })
    }
}

/// The verdict of each connection.
#[derive(Clone, Debug, Default)]
pub(crate) struct Verdicts {
    connections: BTreeMap<String, Finding>,
    /// The latest row that has not been taken: its time, and when it was added.
    latest: Option<(String, f64)>,
}

impl Verdicts {
    /// Adds a row.
    pub(crate) fn add(&mut self, row: Row, now_s: f64) {
        match (row.event, row.finding()) {
            (Event::Flagged | Event::Standing, Some(finding)) => {
                self.connections.insert(row.conn_id, finding);
            }
            _ => drop(self.connections.remove(&row.conn_id)),
        }
        self.latest = Some((row.time, now_s));
    }

    /// Whether the rows so far are those of complete judgments, because `next` is of a later one.
    pub(crate) fn is_complete_before(&self, next: &Row) -> bool {
        self.latest.as_ref().is_some_and(|(time, _)| *time != next.time)
    }

    /// The same, because no row has come for some time.
    pub(crate) fn is_complete_at(&self, now_s: f64) -> bool {
        self.latest.as_ref().is_some_and(|(_, at_s)| now_s - at_s > APART_S)
    }

    /// The findings, and when the latest row was added; `None` if there was none since the last
    /// call.
    pub(crate) fn take(&mut self) -> Option<(f64, Vec<Finding>)> {
        let (_, at_s) = self.latest.take()?;
        let mut findings = BTreeMap::new();
        for one in self.connections.values() {
            let key = (one.pid, one.verdict.clone(), one.confidence, one.destination());
            findings
                .entry(key)
                .and_modify(|all: &mut Finding| all.count += one.count)
                .or_insert_with(|| one.clone());
        }
        Some((at_s, findings.into_values().collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::{Row, Verdicts};

    const ROWS: &str = "\
        TIME,EVENT,CONN_ID,PID,COMM,FD,DIRECTION,LPORT,RADDR,RPORT,VERDICT,CONFIDENCE\r\n\
        1,flagged,0x1,7,api,3,outbound,4000,127.0.0.1,80,ghost,possible\r\n\
        1,flagged,0x2,7,api,4,outbound,4001,127.0.0.1,80,ghost,possible\r\n\
        2,flagged,0x1,7,api,3,outbound,4000,127.0.0.1,80,ghost,likely\r\n\
        2,flagged,0x2,7,api,4,outbound,4001,127.0.0.1,80,ghost,likely\r\n\
        2,flagged,0x3,8,\"we\"\"b\",3,inbound,80,::1,4001,never-read,info\r\n\
        3,closed,0x2,7,api,4,outbound,4001,127.0.0.1,80,ghost,likely\r\n\
        4,retracted,0x1,,,,outbound,4000,127.0.0.1,80,ghost,likely\r\n";

    #[test]
    fn connections_are_counted_by_finding() {
        let mut rows = csv::Reader::from_reader(ROWS.as_bytes());
        let rows: Vec<Row> = rows.deserialize().collect::<Result<_, _>>().unwrap();
        let mut verdicts = Verdicts::default();
        let mut seen = Vec::new();
        let mut take = |verdicts: &mut Verdicts| {
            let (_, findings) = verdicts.take().unwrap();
            seen.push(findings.iter().map(crate::zoo::finding::Finding::describe).collect());
        };
        for row in rows {
            if verdicts.is_complete_before(&row) {
                take(&mut verdicts);
            }
            verdicts.add(row, 10.0);
        }
        assert!(!verdicts.is_complete_at(10.1) && verdicts.is_complete_at(11.0));
        take(&mut verdicts);
        assert!(verdicts.take().is_none());
        let seen: Vec<Vec<String>> = seen;
        let web = "\"we\\\"b\" [8]: 1 never-read (info), :80".to_owned();
        let api = |count: u64, confidence: &str| {
            format!("\"api\" [7]: {count} ghost ({confidence}), 127.0.0.1:80")
        };
        assert_eq!(seen[0], [api(2, "possible")]);
        assert_eq!(seen[1], [api(2, "likely"), web.clone()]);
        assert_eq!(seen[2], [api(1, "likely"), web.clone()]);
        assert_eq!(seen[3], [web]);
    }
}
