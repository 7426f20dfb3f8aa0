use std::collections::BTreeMap;

/// The first line of every CSV export.
pub(crate) const HEADER: &str = "SCHEMA,TIME,EVENT,CONN_ID,PID,START_TIME,COMM,FD,INODE,NETNS,\
    DIRECTION,LADDR,LPORT,RADDR,RPORT,STATE,AGE_S,AGE_IS_LOWER_BOUND,IDLE_S,UNREAD_BYTES,\
    UNSENT_BYTES,RX_BYTES,TX_BYTES,ORIGIN,VERDICT,CONFIDENCE,READER,CALL_SITE,REQUEST,EVENTS_LOST,\
    COMPLETE,STOOD_S,KEY,SCRIPT,CALL_SITE_REASON,EVENTS_LOST_UNHEALED";

/// A row of a CSV export: from column to cell.
pub(crate) type Row = BTreeMap<String, String>;

/// The rows of a CSV export.
pub(crate) struct Rows(pub(crate) Vec<Row>);

impl Rows {
    /// Parses an export and asserts its form: the documented header, every row complete and as long
    /// as the header, and every line ended by CRLF.
    pub(crate) fn parse(bytes: &[u8]) -> Self {
        let text = std::str::from_utf8(bytes).expect("CSV is UTF-8");
        assert!(text.starts_with(&format!("{HEADER}\r\n")), "the header is another one: {text}");
        assert!(text.ends_with("\r\n"), "the last row is cut: {text}");
        // The reader refuses rows whose length differs from that of the header.
        let mut reader = csv::Reader::from_reader(bytes);
        let rows = reader.deserialize().map(|row| row.expect("every row is whole"));
        Self(rows.collect())
    }

    /// The rows about the connections of one process, without listeners.
    pub(crate) fn of(&self, pid: u32) -> Vec<&Row> {
        let pid = pid.to_string();
        self.0.iter().filter(|row| row["PID"] == pid && row["STATE"] != "LISTEN").collect()
    }

    /// The last row of each connection by its id, which is the one that counts.
    pub(crate) fn last(&self) -> BTreeMap<&str, &Row> {
        self.0.iter().map(|row| (row["CONN_ID"].as_str(), row)).collect()
    }
}
