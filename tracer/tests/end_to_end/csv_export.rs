//! CSV export of a real leak; everything else about CSV is tested on a scripted host.
//! [`Rows::parse`] checks the header, complete rows and line ends.

use std::{collections::BTreeSet, fs};

use crate::support::{Kind, Leak, Outcome, Rows, Tracer};

#[test]
fn an_audit_writes_one_row_per_leaked_connection() {
    let leak = Leak::of(Kind::Undrained, 6);

    let outcome = Tracer::run(&format!("audit --pid {} --idle 2s -o csv", leak.pid()));

    assert_eq!(outcome.code, 1, "{outcome:?}");
    assert_rows_are_of(&leak, &outcome);
}

#[track_caller]
fn assert_rows_are_of(leak: &Leak, outcome: &Outcome) {
    let rows = outcome.rows();
    let last = rows.last();
    assert_eq!(last.len(), leak.fds.len(), "{outcome:?}");
    let fds: BTreeSet<u32> = last.values().map(|row| row["FD"].parse().unwrap()).collect();
    assert_eq!(fds, leak.fds);
    for row in last.values() {
        assert_eq!(row["SCHEMA"], "3");
        assert_eq!(row["PID"], leak.pid().to_string());
        assert_eq!(row["COMM"], "puppet");
        assert_eq!((&*row["STATE"], &*row["UNREAD_BYTES"]), ("ESTABLISHED", "8192"));
        assert_eq!((&*row["VERDICT"], &*row["CONFIDENCE"]), ("undrained", "likely"));
        assert!(row["TIME"].ends_with('Z'), "{}", row["TIME"]);
        assert!(row["KEY"].starts_with("client-connection/outbound/"), "{}", row["KEY"]);
        assert_eq!(&*row["SCRIPT"], "");
        assert_eq!(&*row["CALL_SITE_REASON"], "opened-before-tracing");
    }
}

#[test]
fn a_killed_tracer_leaves_whole_rows() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("leaks.csv");
    let leak = Leak::of(Kind::Undrained, 6);
    let arguments = format!("--pid {} --idle 2s -o json --csv {}", leak.pid(), path.display());
    let mut tracer = Tracer::start(&arguments);
    tracer.wait_until(|report| report.leaked_by(leak.pid()) == 6);

    drop(tracer);

    let rows = Rows::parse(&fs::read(path).unwrap());
    assert_eq!(rows.last().len(), 6);
}
