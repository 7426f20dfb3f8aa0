//! The file for the postmortem. [`Rows::parse`] asserts the header, whole rows and line ends.

use std::{collections::BTreeSet, fs};

use crate::support::{HEADER, Kind, Leak, Outcome, Rows, Tracer};

#[test]
fn an_audit_writes_one_row_for_each_leaked_connection() {
    let leak = Leak::of(Kind::Undrained, 6);

    let outcome = Tracer::run(&format!("audit --pid {} --idle 1s -o csv", leak.pid()));

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
        assert_eq!(row["SCHEMA"], "1");
        assert_eq!(row["PID"], leak.pid().to_string());
        assert_eq!(row["COMM"], "puppet");
        assert_eq!((&*row["STATE"], &*row["UNREAD_BYTES"]), ("ESTABLISHED", "8192"));
        assert_eq!((&*row["VERDICT"], &*row["CONFIDENCE"]), ("undrained", "likely"));
        assert!(row["TIME"].ends_with('Z'), "{}", row["TIME"]);
    }
}

#[test]
fn the_last_row_of_a_connection_that_was_closed_says_so() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("leaks.csv");
    let mut leak = Leak::of(Kind::Undrained, 6);
    let arguments = format!("--pid {} --idle 1s -o json --csv {}", leak.pid(), path.display());
    let mut tracer = Tracer::start(&arguments);
    tracer.wait_until(|report| report.leaked_by(leak.pid()) == 6);

    leak.leaker.ask("close-all");
    tracer.wait_until(|report| report.leaks_of(leak.pid()).is_empty());
    tracer.interrupt();

    let rows = Rows::parse(&fs::read(path).unwrap());
    let flagged = rows.0.iter().filter(|row| row["EVENT"] == "flagged");
    let flagged: BTreeSet<&str> = flagged.map(|row| row["CONN_ID"].as_str()).collect();
    let last = rows.last();
    assert_eq!(flagged.len(), 6);
    assert_eq!(last.keys().copied().collect::<BTreeSet<_>>(), flagged);
    assert!(last.values().all(|row| row["EVENT"] == "closed"), "{last:?}");
}

#[test]
fn what_still_stands_at_the_end_is_in_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("leaks.csv");
    let leak = Leak::of(Kind::Undrained, 6);
    let arguments = format!("--pid {} --idle 1s -o json --csv {}", leak.pid(), path.display());
    let mut tracer = Tracer::start(&arguments);
    tracer.wait_until(|report| report.leaked_by(leak.pid()) == 6);
    tracer.interrupt();

    let rows = Rows::parse(&fs::read(path).unwrap());

    let last = rows.last();
    assert_eq!(last.len(), 6);
    assert!(last.values().all(|row| row["EVENT"] == "standing"), "{last:?}");
}

#[test]
fn without_a_leak_there_is_a_header() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("none.csv");
    let leak = Leak::prepare(Kind::Undrained);

    let outcome =
        Tracer::run(&format!("audit --pid {} --for 0s --csv {}", leak.pid(), path.display()));

    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert_eq!(fs::read_to_string(path).unwrap(), format!("{HEADER}\r\n"));
}

#[test]
fn a_tracer_that_is_killed_leaves_whole_rows() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("leaks.csv");
    let leak = Leak::of(Kind::Undrained, 6);
    let arguments = format!("--pid {} --idle 1s -o json --csv {}", leak.pid(), path.display());
    let mut tracer = Tracer::start(&arguments);
    tracer.wait_until(|report| report.leaked_by(leak.pid()) == 6);

    drop(tracer);

    let rows = Rows::parse(&fs::read(path).unwrap());
    assert_eq!(rows.last().len(), 6);
}

#[test]
fn a_second_run_appends() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("leaks.csv");
    let leak = Leak::of(Kind::Undrained, 6);
    let audit = format!("audit --pid {} --idle 1s --csv {}", leak.pid(), path.display());

    Tracer::run(&audit);
    let first = fs::read(&path).unwrap();
    Tracer::run(&audit);
    let both = fs::read(&path).unwrap();

    assert!(both.starts_with(&first) && both.len() > first.len());
    let rows = Rows::parse(&both);
    assert!(rows.0.iter().all(|row| row["SCHEMA"] == "1"), "the header is there once");
    assert_eq!(rows.last().len(), 6);
}

#[test]
fn a_file_that_is_something_else_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("notes.txt");
    fs::write(&path, "do not lose me\n").unwrap();

    let outcome = Tracer::run(&format!("audit --for 0s --csv {}", path.display()));

    outcome.assert_one_line_error(&[path.to_str().unwrap()]);
    assert_eq!(fs::read_to_string(&path).unwrap(), "do not lose me\n");
}
