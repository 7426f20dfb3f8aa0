#![allow(clippy::needless_raw_string_hashes, reason = "that is how expect-test writes them")]

use expect_test::{Expect, expect};
use tracer_core::ChangeKind;

use super::*;
use crate::output::fixture;

fn text(rows: impl IntoIterator<Item = io::Result<Vec<u8>>>) -> String {
    rows.into_iter().map(|row| String::from_utf8(row.unwrap()).unwrap()).collect()
}

/// Checks that rows end in CRLF, have as many cells as the header, and contain no other line ends.
fn check(rows: &str, expected: &Expect) {
    expected.assert_eq(&rows.replace("\r\n", "\n"));
    for line in rows.split_inclusive('\n') {
        assert!(line.ends_with("\r\n"), "{line:?}");
        assert!(!line[..line.len() - 2].contains(char::is_control), "{line:?}");
    }
    let whole = format!("{HEADER}{rows}");
    // The reader refuses rows of different lengths.
    let mut reader = ::csv::Reader::from_reader(whole.as_bytes());
    let records = reader.records().collect::<Result<Vec<_>, _>>().unwrap();
    assert_eq!(records.len(), rows.lines().count());
}

#[test]
fn the_header_is_the_contract() {
    check(
        HEADER,
        &expect![[r#"
            SCHEMA,TIME,EVENT,CONN_ID,PID,START_TIME,COMM,FD,INODE,NETNS,DIRECTION,LADDR,LPORT,RADDR,RPORT,STATE,AGE_S,AGE_IS_LOWER_BOUND,IDLE_S,UNREAD_BYTES,UNSENT_BYTES,RX_BYTES,TX_BYTES,ORIGIN,VERDICT,CONFIDENCE,READER,CALL_SITE,REQUEST,EVENTS_LOST,COMPLETE,STOOD_S,KEY,SCRIPT,CALL_SITE_REASON,EVENTS_LOST_UNHEALED
        "#]],
    );
}

/// New columns come at the end, so readers that use positions keep working.
#[test]
fn the_columns_of_earlier_versions_come_first() {
    let version_1 = "SCHEMA,TIME,EVENT,CONN_ID,PID,START_TIME,COMM,FD,INODE,NETNS,DIRECTION,LADDR,\
                     LPORT,RADDR,RPORT,STATE,AGE_S,AGE_IS_LOWER_BOUND,IDLE_S,UNREAD_BYTES,\
                     UNSENT_BYTES,RX_BYTES,TX_BYTES,ORIGIN,VERDICT,CONFIDENCE,READER,CALL_SITE,\
                     REQUEST,EVENTS_LOST,COMPLETE,STOOD_S";
    let version_2 = format!("{version_1},KEY,SCRIPT,CALL_SITE_REASON");
    assert!(HEADER.starts_with(&format!("{version_2},")));
}

#[test]
fn each_change_is_a_row() {
    let coverage = fixture::coverage();
    let kinds = [ChangeKind::Flagged, ChangeKind::Retracted, ChangeKind::Closed];
    let rows = kinds.map(|kind| change(&fixture::change(kind), &coverage, &fixture::context()));
    check(
        &text(rows),
        &expect![[r#"
            3,2026-03-01T11:59:58.500Z,flagged,0x1000,4711,2026-03-01T10:53:20.000Z,api,7,90000,4026531840,outbound,10.0.0.5,40000,10.0.0.7,443,CLOSE_WAIT,3060,false,61.25,512,0,1311,240,traced,close-wait,possible,unknown,main.dial dial.go:9,,0,true,58.5,client-connection/outbound/10.0.0.7:443/api,,,0
            3,2026-03-01T11:59:58.500Z,retracted,0x1000,4711,2026-03-01T10:53:20.000Z,api,7,90000,4026531840,outbound,10.0.0.5,40000,10.0.0.7,443,CLOSE_WAIT,3060,false,61.25,512,0,1311,240,traced,close-wait,possible,unknown,main.dial dial.go:9,,0,true,58.5,client-connection/outbound/10.0.0.7:443/api,,,0
            3,2026-03-01T11:59:58.500Z,closed,0x1000,4711,2026-03-01T10:53:20.000Z,api,7,90000,4026531840,outbound,10.0.0.5,40000,10.0.0.7,443,CLOSE_WAIT,3060,false,61.25,512,0,1311,240,traced,close-wait,possible,unknown,main.dial dial.go:9,,0,true,58.5,client-connection/outbound/10.0.0.7:443/api,,,0
        "#]],
    );
}

#[test]
fn each_connection_left_at_the_end_is_a_row() {
    let mut with_call_site = fixture::with_call_site(2);
    with_call_site.connections.truncate(1);
    let mut inbound = fixture::inbound(1);
    inbound.connections.truncate(1);
    let mut report = fixture::report(vec![inbound, with_call_site, fixture::retracted(3)]);
    report.unflagged = fixture::connections(2, tracer_core::TcpState::Established, "10.0.0.9:5432");
    report.unflagged[1].owners.clear();
    check(
        &text(remaining(&report, &fixture::context())),
        &expect![[r#"
            3,2026-03-01T12:00:00.000Z,standing,0x1000,801,2026-02-28T11:00:00.000Z,nginx,20,90000,4026531840,inbound,2001:db8::5,8080,2001:db8:85a3::8a2e:370:7334,50123,CLOSE,3060,true,3000,0,0,1311,240,seeded,ghost,possible,unknown,,,0,true,2940,accepted/inbound/:8080/nginx,,stack-not-recorded,0
            3,2026-03-01T12:00:00.000Z,standing,0x1000,4711,2026-03-01T10:53:20.000Z,api,7,90000,4026531840,outbound,2001:db8::5,40000,2001:db8:85a3::8a2e:370:7334,443,ESTABLISHED,3060,false,3000,5000,0,1311,240,traced,body-not-closed,certain,none,main.(*Client).doSomething billing.go:23,GET http://billing/charge,0,true,2940,response/outbound/[2001:db8:85a3::8a2e:370:7334]:443/api,,stack-not-recorded,0
            3,2026-03-01T12:00:00.000Z,open,0x1000,4711,2026-03-01T10:53:20.000Z,api,7,90000,4026531840,outbound,10.0.0.5,40000,10.0.0.9,5432,ESTABLISHED,3060,false,3000,0,0,1311,240,traced,,,unknown,,,0,true,,,,stack-not-recorded,0
            3,2026-03-01T12:00:00.000Z,open,0x1001,,,,,90001,4026531840,outbound,10.0.0.5,40001,10.0.0.9,5432,ESTABLISHED,3058,false,2998,0,0,1311,240,traced,,,unknown,,,0,true,,,,stack-not-recorded,0
        "#]],
    );
}

#[test]
fn each_row_has_the_coverage() {
    let report = fixture::incomplete();
    let row = change(&fixture::change(ChangeKind::Flagged), &report.coverage, &fixture::context());
    let row = text([row]);
    assert!(row.contains(",1234,false,58.5,") && row.ends_with(",34\r\n"), "{row}");
}

#[test]
fn hostile_strings_stay_in_their_cell() {
    check(
        &text(remaining(&fixture::hostile(), &fixture::context())),
        &expect![[r#"
            3,2026-03-01T12:00:00.000Z,standing,0x1000,4711,2026-03-01T10:53:20.000Z,"'=\x1b[2J\n""x"",�\u{202e}",7,90000,4026531840,outbound,10.0.0.5,40000,10.0.0.7,443,CLOSE_WAIT,3060,false,3000,0,0,1311,240,traced,close-wait,likely,unknown,'@main\ttab evil.go:1,'-GET http://h/\r\nSet-Cookie: a,0,true,2940,client-connection/outbound/10.0.0.7:443/api,,,0
        "#]],
    );
}
