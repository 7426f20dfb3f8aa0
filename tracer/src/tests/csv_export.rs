//! CSV on standard output and in files. `Rows::parse` checks the header, the length of the rows and
//! the line ends.

use std::{collections::BTreeSet, fs, path::PathBuf, time::Duration};

use super::{
    rows::{HEADER, Rows},
    run::{Leak, fds, run},
};
use crate::collect::backend::scripted::{Process, ScriptedHost, Sockets};

/// A directory with a CSV file.
struct File(tempfile::TempDir);

impl File {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("leaks.csv")
    }

    fn rows(&self) -> Rows {
        Rows::parse(&fs::read(self.path()).unwrap())
    }
}

#[test]
fn an_audit_writes_one_row_per_leaked_connection() {
    let process = Process::this();
    let host = Leak::Undrained.before_the_run(&process, 6);

    let outcome = run(&format!("audit --pid {} --idle 1s -o csv", process.pid), host);

    assert_eq!(outcome.code, 1, "{outcome:?}");
    let rows = outcome.rows();
    let last = rows.last();
    let found: BTreeSet<u32> = last.values().map(|row| row["FD"].parse().unwrap()).collect();
    assert_eq!(found, fds(6), "{outcome:?}");
    for row in last.values() {
        assert_eq!(row["PID"], process.pid.to_string());
        assert_eq!(row["COMM"], process.comm);
        assert_eq!((&*row["RADDR"], &*row["RPORT"]), ("10.0.0.1", "443"));
        assert_eq!((&*row["STATE"], &*row["UNREAD_BYTES"]), ("ESTABLISHED", "8192"));
        assert_eq!((&*row["VERDICT"], &*row["CONFIDENCE"]), ("undrained", "likely"));
        assert_eq!((&*row["DIRECTION"], &*row["ORIGIN"]), ("outbound", "seeded"));
        assert!(row["TIME"].ends_with('Z'), "{}", row["TIME"]);
    }
}

/// A live run with a CSV file alongside JSON.
fn live(process: &Process, file: &File, host: ScriptedHost) -> Rows {
    let csv = file.path();
    let arguments = format!("--pid {} --idle 1s --for 20s -o json", process.pid);
    let outcome = run(&format!("{arguments} --csv {}", csv.display()), host);
    assert_eq!(outcome.error, "", "{outcome:?}");
    file.rows()
}

#[test]
fn the_last_row_of_a_closed_connection_is_its_close() {
    let (process, file) = (Process::this(), File::new());
    let host = Leak::Undrained.before_the_run(&process, 6);

    let rows = live(&process, &file, host.at(Duration::from_secs(10), Sockets::close_all));

    let flagged = rows.0.iter().filter(|row| row["EVENT"] == "flagged");
    let flagged: BTreeSet<&str> = flagged.map(|row| row["CONN_ID"].as_str()).collect();
    let last = rows.last();
    assert_eq!(flagged.len(), 6);
    assert_eq!(last.keys().copied().collect::<BTreeSet<_>>(), flagged);
    assert!(last.values().all(|row| row["EVENT"] == "closed"), "{last:?}");
}

#[test]
fn connections_that_are_flagged_at_the_end_of_the_run_have_a_last_row() {
    let (process, file) = (Process::this(), File::new());

    let rows = live(&process, &file, Leak::Undrained.before_the_run(&process, 6));

    let last = rows.last();
    assert_eq!(last.len(), 6);
    assert!(last.values().all(|row| row["EVENT"] == "standing"), "{last:?}");
}

#[test]
fn without_a_leak_there_is_only_the_header() {
    let file = File::new();
    let arguments = format!("audit --for 0s --csv {}", file.path().display());

    let outcome = run(&arguments, ScriptedHost::new());

    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert_eq!(fs::read_to_string(file.path()).unwrap(), format!("{HEADER}\r\n"));
}

#[test]
fn a_second_run_appends() {
    let (process, file) = (Process::this(), File::new());

    live(&process, &file, Leak::Undrained.before_the_run(&process, 6));
    let first = fs::read(file.path()).unwrap();
    let rows = live(&process, &file, Leak::Undrained.before_the_run(&process, 6));

    let both = fs::read(file.path()).unwrap();
    assert!(both.starts_with(&first) && both.len() > first.len());
    assert!(rows.0.iter().all(|row| row["SCHEMA"] != "SCHEMA"), "one header");
}

#[test]
fn another_kind_of_file_is_not_changed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("notes.txt");
    fs::write(&path, "do not lose me\n").unwrap();

    let outcome = run(&format!("audit --for 0s --csv {}", path.display()), ScriptedHost::new());

    outcome.assert_error(&[path.to_str().unwrap()]);
    assert_eq!(fs::read_to_string(&path).unwrap(), "do not lose me\n");
}

#[test]
fn a_process_name_can_neither_be_a_formula_nor_break_a_row() {
    for name in ["=1+1", "+1", "-1", "@SUM(A1)", "a\"b,c\r\nd"] {
        let process = Process::this().named(name);
        let host = Leak::Undrained.before_the_run(&process, 1);

        let outcome = run("audit --for 0s --all -o csv", host);

        let rows = outcome.rows();
        assert_eq!(rows.last().len(), 1, "{name:?}");
        for row in rows.of(process.pid) {
            let comm = &row["COMM"];
            assert!(!comm.starts_with(['=', '+', '-', '@']), "{comm:?}");
        }
    }
}

#[test]
fn all_adds_connections_without_a_finding() {
    let process = Process::this();
    let mut host = Leak::Undrained.before_the_run(&process, 6);
    host.sockets.connect(&process, ([10, 0, 0, 2], 80));

    let rows = run("audit --idle 1s --all -o csv", host).rows();

    let last = rows.last();
    assert_eq!(last.len(), 7);
    let healthy: Vec<_> = last.values().filter(|row| row["VERDICT"].is_empty()).collect();
    assert_eq!(healthy.len(), 1, "{last:?}");
    assert_eq!((&*healthy[0]["RADDR"], &*healthy[0]["RPORT"]), ("10.0.0.2", "80"));
}
