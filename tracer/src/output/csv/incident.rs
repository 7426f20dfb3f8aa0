//! The example of `docs/csv.md`: two hours of leaks on a host. `cargo xtask test` runs the queries
//! of that page on it.

use expect_test::expect_file;
use tracer_core::{
    CallSiteReason, Change, ChangeKind, Comm, Confidence, Connection, ConnectionId, Destination,
    Direction, FindingFamily, FindingKey, Flag, ProcessKey, Reader, TcpState, Verdict,
};

use super::{HEADER, change, remaining};
use crate::output::fixture;

const MINUTE: u64 = 60_000;
/// Durations are rarely whole seconds.
const PART: u64 = 250;

/// A leaked connection; times are in minutes before the end of the run.
#[derive(Clone, Copy)]
struct Leaked {
    number: u32,
    process: (ProcessKey, &'static str),
    remote: &'static str,
    opened: u64,
    flagged: u64,
    /// When its verdict was retracted and why, if it was.
    ended: Option<(u64, ChangeKind)>,
}

impl Leaked {
    /// The state of the connection the given number of minutes before the end.
    fn connection(&self, ago: u64) -> Connection {
        let is_http = self.remote.ends_with(":443");
        let state = if is_http { TcpState::Established } else { TcpState::CloseWait };
        let (key, comm) = self.process;
        let line = is_http.then(|| "main.doSomething billing.go:23".to_owned());
        Connection {
            id: ConnectionId(0x2000 + u64::from(self.number)),
            owners: vec![fixture::owner(key, comm, 9 + self.number)],
            age_ms: (self.opened - ago) * MINUTE + PART,
            idle_ms: (self.flagged + 1 - ago) * MINUTE + PART,
            unread_bytes: if is_http { 4_516 } else { 0 },
            reader: if is_http { Reader::None } else { Reader::Unknown },
            call_site_reason: line.is_none().then_some(CallSiteReason::NoApplicationFrame),
            call_site: line,
            request: is_http.then(|| "GET https://billing/charge".to_owned()),
            ..fixture::connection(self.number, state, self.remote)
        }
    }

    fn key(&self) -> FindingKey {
        let is_http = self.remote.ends_with(":443");
        FindingKey {
            family: if is_http { FindingFamily::Response } else { FindingFamily::ClientConnection },
            direction: Direction::Outbound,
            destination: Destination::Remote(fixture::address(self.remote)),
            comm: Comm(self.process.1.into()),
        }
    }

    fn script(&self) -> Option<String> {
        (self.process.1 == "worker").then(|| "sessions.py".to_owned())
    }

    fn verdict(&self) -> (Verdict, Confidence) {
        if self.remote.ends_with(":443") {
            (Verdict::BodyNotClosed, Confidence::Certain)
        } else {
            (Verdict::CloseWait, Confidence::Likely)
        }
    }

    fn change(&self, ago: u64, kind: ChangeKind) -> Change {
        let (verdict, confidence) = self.verdict();
        let at = |ago: u64| fixture::now().before_ms(ago * MINUTE);
        let since = fixture::now().before_ms(self.flagged * MINUTE + PART);
        Change {
            at: at(ago),
            kind,
            connection: self.connection(ago),
            flag: Flag { verdict, confidence, since },
            key: self.key(),
            script: self.script(),
        }
    }
}

/// `api` was deployed at 10:00 and 11:00, each time with the leak; `worker` does not close its
/// sessions.
fn leaks() -> Vec<Leaked> {
    let deploys =
        [(fixture::process(4_711, 120 * 60), "api"), (fixture::process(5_820, 3_600), "api")];
    let worker = (fixture::process(901, 90_000), "worker");
    let mut all = Vec::new();
    let mut add = |process, remote, opened, flagged, ended| {
        let number = u32::try_from(all.len()).unwrap();
        all.push(Leaked { number, process, remote, opened, flagged, ended });
    };
    for number in 0..6 {
        let opened = 110 - 8 * number;
        add(deploys[0], "10.0.3.7:443", opened, opened - 1, Some((60, ChangeKind::Closed)));
    }
    for number in 0..11 {
        let remote = if number % 3 == 2 { "10.0.3.8:443" } else { "10.0.3.7:443" };
        add(deploys[1], remote, 52 - 4 * number, 51 - 4 * number, None);
    }
    for number in 0..4 {
        let ended = (number == 0).then_some((20, ChangeKind::Retracted));
        add(worker, "10.0.9.9:5432", 95 - 10 * number, 80 - 10 * number, ended);
    }
    all
}

#[test]
fn the_example_of_the_documentation_is_what_is_written() {
    let leaks = leaks();
    let flagged = leaks.iter().map(|leak| leak.change(leak.flagged, ChangeKind::Flagged));
    let ended = leaks.iter().filter_map(|leak| {
        let (ago, kind) = leak.ended?;
        Some(leak.change(ago, kind))
    });
    let mut changes: Vec<Change> = flagged.chain(ended).collect();
    changes.sort_by_key(|change| change.at);
    let active = leaks.iter().filter(|leak| leak.ended.is_none()).map(|leak| {
        let (verdict, confidence) = leak.verdict();
        let finding = fixture::finding(1, vec![leak.connection(0)]);
        tracer_core::Finding {
            key: leak.key(),
            script: leak.script(),
            verdict,
            confidence,
            active_ms: leak.flagged * MINUTE + PART,
            ..finding
        }
    });
    let report = fixture::report(active.collect());
    let context = fixture::context();

    let changes = changes.iter().map(|it| change(it, &report.coverage, &context));
    let rows: Vec<u8> =
        changes.chain(remaining(&report, &context)).flat_map(Result::unwrap).collect();
    let file = format!("{HEADER}{}", String::from_utf8(rows).unwrap());

    // The golden file has no carriage returns, which CSV readers accept.
    expect_file!["../../../../docs/incident.csv"].assert_eq(&file.replace("\r\n", "\n"));
}
