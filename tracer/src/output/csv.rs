//! Connections as CSV (RFC 4180): one row per change of a connection, so that the last row of a
//! `CONN_ID` is its final state. The columns are a contract with users.

mod file;

use std::io;

use ::csv::{Terminator, WriterBuilder};
use tracer_core::{
    CallSiteReason, Change, Confidence, Connection, Coverage, FindingKey, Report, Timestamp,
    Verdict,
};

pub(crate) use file::CsvFile;

use super::{Context, coverage, escape, quantity::Thousandths};

/// Version of the columns: raised when one is added (only at the end), removed, or changes its
/// meaning.
const SCHEMA: &str = "3";

/// The first line of every file.
pub(crate) const HEADER: &str = "SCHEMA,TIME,EVENT,CONN_ID,PID,START_TIME,COMM,FD,INODE,NETNS,\
    DIRECTION,LADDR,LPORT,RADDR,RPORT,STATE,AGE_S,AGE_IS_LOWER_BOUND,IDLE_S,UNREAD_BYTES,\
    UNSENT_BYTES,RX_BYTES,TX_BYTES,ORIGIN,VERDICT,CONFIDENCE,READER,CALL_SITE,REQUEST,EVENTS_LOST,\
    COMPLETE,STOOD_S,KEY,SCRIPT,CALL_SITE_REASON,EVENTS_LOST_UNHEALED\r\n";

/// The row of a change, with its line end. `coverage` is as of that time.
///
/// # Errors
/// Errors of the `csv` crate; writing to memory does not fail.
pub(crate) fn change(
    change: &Change,
    coverage: &Coverage,
    context: &Context,
) -> io::Result<Vec<u8>> {
    let row = Row {
        at: change.at,
        event: change.kind.name(),
        connection: &change.connection,
        judgment: Some((change.flag.verdict, change.flag.confidence)),
        active_ms: Some(change.at.ms_since(change.flag.since)),
        key: Some(&change.key),
        script: change.script.as_deref(),
    };
    row.render(coverage, context)
}

/// The last rows: the connections of all active findings (`standing`), then those without
/// a finding (`open`), which are only reported with `--all`.
pub(crate) fn remaining<'a>(
    report: &'a Report,
    context: &'a Context,
) -> impl Iterator<Item = io::Result<Vec<u8>>> + 'a {
    let active = report.findings.iter().flat_map(|finding| {
        finding.connections.iter().map(|connection| Row {
            at: report.at,
            event: "standing",
            connection,
            judgment: Some((finding.verdict, finding.confidence)),
            active_ms: Some(finding.active_ms),
            key: Some(&finding.key),
            script: finding.script.as_deref(),
        })
    });
    let open = report.unflagged.iter().map(|connection| Row {
        at: report.at,
        event: "open",
        connection,
        judgment: None,
        active_ms: None,
        key: None,
        script: None,
    });
    active.chain(open).map(|row| row.render(&report.coverage, context))
}

struct Row<'a> {
    at: Timestamp,
    event: &'a str,
    connection: &'a Connection,
    judgment: Option<(Verdict, Confidence)>,
    /// How long the connection has had its verdict; in the last rows, how long the finding has been
    /// active.
    active_ms: Option<u64>,
    key: Option<&'a FindingKey>,
    script: Option<&'a str>,
}

impl Row<'_> {
    /// The cells in the order of [`HEADER`]. Text that the host chose is escaped;
    /// everything else is a number, a code or an address.
    fn render(&self, coverage: &Coverage, context: &Context) -> io::Result<Vec<u8>> {
        let connection = self.connection;
        let owner = connection.owners.first();
        let cells = [
            SCHEMA,
            &context.clock.rfc3339(self.at),
            self.event,
            &connection.id.to_string(),
            &owner.map(|owner| owner.key.pid.to_string()).unwrap_or_default(),
            &owner.map(|owner| context.clock.start_time(owner.key)).unwrap_or_default(),
            &owner.map(|owner| escape::csv_text(&owner.comm.0)).unwrap_or_default(),
            &owner.map(|owner| owner.fd.to_string()).unwrap_or_default(),
            &connection.inode.to_string(),
            &connection.netns.to_string(),
            connection.direction.name(),
            &connection.local.ip().to_string(),
            &connection.local.port().to_string(),
            &connection.remote.ip().to_string(),
            &connection.remote.port().to_string(),
            connection.state.name(),
            &Thousandths::from_ms(connection.age_ms).to_string(),
            truth(connection.age_is_lower_bound),
            &Thousandths::from_ms(connection.idle_ms).to_string(),
            &connection.unread_bytes.to_string(),
            &connection.unsent_bytes.to_string(),
            &connection.rx_bytes.to_string(),
            &connection.tx_bytes.to_string(),
            connection.origin.name(),
            self.judgment.map_or("", |(verdict, _)| verdict.name()),
            self.judgment.map_or("", |(_, confidence)| confidence.name()),
            connection.reader.name(),
            &escape::csv_text(connection.call_site.as_deref().unwrap_or_default()),
            &escape::csv_text(connection.request.as_deref().unwrap_or_default()),
            &coverage::events_lost(&coverage.loss).to_string(),
            truth(coverage.complete),
            &self.active_ms.map(|ms| Thousandths::from_ms(ms).to_string()).unwrap_or_default(),
            &self.key.map(ToString::to_string).unwrap_or_default(),
            &escape::csv_text(self.script.unwrap_or_default()),
            connection.call_site_reason.as_ref().map_or("", CallSiteReason::code),
            &coverage::events_lost(&coverage.uncorrected).to_string(),
        ];
        let mut writer = WriterBuilder::new()
            .terminator(Terminator::CRLF)
            .buffer_capacity(512)
            .from_writer(Vec::with_capacity(512));
        writer.write_record(cells)?;
        writer.into_inner().map_err(::csv::IntoInnerError::into_error)
    }
}

const fn truth(value: bool) -> &'static str {
    if value { "true" } else { "false" }
}

#[cfg(test)]
mod incident;
#[cfg(test)]
mod tests;
