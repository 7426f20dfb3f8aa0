//! Forwarders and gateways, whose clients and servers close, stall and restart at any time.

use std::{format, vec::Vec};

use proptest::prelude::*;

use super::{Pace, Script, any_pace, cases, check_healthy};

/// A client's connection and the one to its server, both of one process.
#[derive(Clone, Debug)]
pub(super) struct Pair {
    pub(super) opened_ms: u64,
    /// When one of the two ends closes, after the opening.
    lasts_ms: u64,
    client_closes: bool,
    /// How long it takes to forward the FIN.
    forwards_ms: u64,
    /// When the other end closes, after that.
    other_ms: u64,
    /// How long it takes to close both then.
    closes_ms: u64,
}

fn pair(idle_ms: u64, length_ms: u64) -> impl Strategy<Value = Pair> {
    let of_idle = move |least: u64, most: u64| {
        (least..most).prop_map(move |hundredths| idle_ms * hundredths / 100)
    };
    (
        0..length_ms,
        of_idle(1, 1_000),
        any::<bool>(),
        0_u64..1_500,
        prop_oneof![of_idle(0, 20), of_idle(20, 2_000)],
        0_u64..400,
    )
        .prop_map(|(opened_ms, lasts_ms, client_closes, forwards_ms, other_ms, closes_ms)| {
            Pair { opened_ms, lasts_ms, client_closes, forwards_ms, other_ms, closes_ms }
        })
}

impl Pair {
    /// Requests and responses in both directions until one end closes.
    fn run(&self, number: usize, restarts_ms: &[u64], script: &mut Script) {
        let (client, server) = (format!("c{number}"), format!("u{number}"));
        let at = self.opened_ms;
        script.at(at, format!("accept {client} pid=10"));
        script.at(at, format!("open {server} pid=10"));
        let mut ends_ms = at + self.lasts_ms;
        let mut client_closes = self.client_closes;
        if let Some(restart) = restarts_ms.iter().find(|it| (at + 1..ends_ms).contains(it)) {
            (ends_ms, client_closes) = (*restart, false);
        }
        let half = at + (ends_ms - at) / 2;
        for (from, to) in [(&client, &server), (&server, &client)] {
            script.at(half, format!("receive {from} bytes=300"));
            script.at(half, format!("read {from}"));
            script.at(half, format!("send {to} bytes=300"));
        }
        let (first, other) = if client_closes { (&client, &server) } else { (&server, &client) };
        script.at(ends_ms, format!("peer-closes {first}"));
        let forwarded_ms = ends_ms + self.forwards_ms;
        script.at(forwarded_ms, format!("read {first}"));
        script.at(forwarded_ms, format!("shutdown {other}"));
        let over_ms = forwarded_ms + self.other_ms;
        script.at(over_ms, format!("peer-closes {other}"));
        script.at(over_ms + self.closes_ms, format!("close {first} {other}"));
    }
}

/// Pairs, and restarts of all servers.
fn forwarder() -> impl Strategy<Value = (Pace, Vec<Pair>, Vec<u64>)> {
    any_pace().prop_flat_map(|pace| {
        let length_ms = 30 * pace.idle_ms;
        let pairs = proptest::collection::vec(pair(pace.idle_ms, length_ms), 1..60);
        let restarts = proptest::collection::vec(0..length_ms, 0..3);
        (Just(pace), pairs, restarts)
    })
}

pub(super) fn run(pairs: &[Pair], restarts_ms: &[u64]) -> Script {
    let mut script = Script::default();
    let mut restarts = restarts_ms.to_vec();
    restarts.sort_unstable();
    for (number, pair) in pairs.iter().enumerate() {
        pair.run(number, &restarts, &mut script);
    }
    script
}

/// A gateway's client, and what it requests from its server.
#[derive(Clone, Debug)]
struct Download {
    opened_ms: u64,
    /// For each part: how long the client reads before it stalls, and for how long it stalls.
    parts_ms: Vec<(u64, u64)>,
    /// The client gives up in the end instead of reading everything.
    gives_up: bool,
}

fn download(idle_ms: u64, length_ms: u64) -> impl Strategy<Value = Download> {
    let part = (10_u64..200, 10_u64..600)
        .prop_map(move |(reads, stalls)| (idle_ms * reads / 100, idle_ms * stalls / 100));
    (0..length_ms, proptest::collection::vec(part, 1..6), any::<bool>())
        .prop_map(|(opened_ms, parts_ms, gives_up)| Download { opened_ms, parts_ms, gives_up })
}

impl Download {
    fn run(&self, number: usize, script: &mut Script) {
        let (client, server) = (format!("d{number}"), format!("v{number}"));
        let mut now = self.opened_ms;
        script.at(now, format!("accept {client} pid=10"));
        script.at(now, format!("receive {client} bytes=200"));
        script.at(now, format!("read {client}"));
        script.at(now, format!("open {server} pid=10"));
        script.at(now, format!("send {server} bytes=200"));
        for (reads_ms, stalls_ms) in &self.parts_ms {
            // The gateway passes everything on.
            let every_ms = (reads_ms / 3).max(200);
            for number in 0..3 {
                let at = now + number * every_ms;
                script.at(at, format!("receive {server} bytes=60000"));
                script.at(at + 10, format!("read {server}"));
                script.at(at + 20, format!("send {client} bytes=60000"));
            }
            now += 3 * every_ms;
            script.at(now, format!("stall {client} bytes=90000"));
            script.at(now + 20, format!("receive {server} bytes=200000"));
            // The client answers window probes.
            for second in 1..(stalls_ms / 1_000).min(200) {
                script.at(now + second * 1_000, format!("stall {client} bytes=90000"));
            }
            now += stalls_ms;
            if self.gives_up {
                continue;
            }
            script.at(now, format!("send {client} bytes=10"));
            script.at(now + 10, format!("read {server}"));
        }
        script.at(now + 20, format!("close {client} {server}"));
    }
}

fn gateway() -> impl Strategy<Value = (Pace, Vec<Download>)> {
    any_pace().prop_flat_map(|pace| {
        let downloads = download(pace.idle_ms, 20 * pace.idle_ms);
        (Just(pace), proptest::collection::vec(downloads, 1..30))
    })
}

proptest! {
    #![proptest_config(cases(12))]

    #[test]
    fn a_forwarder_is_never_flagged((pace, pairs, restarts_ms) in forwarder()) {
        check_healthy(&run(&pairs, &restarts_ms), pace)?;
    }

    #[test]
    fn a_gateway_with_clients_that_stall_is_never_flagged((pace, downloads) in gateway()) {
        let mut script = Script::default();
        for (number, download) in downloads.iter().enumerate() {
            download.run(number, &mut script);
        }
        check_healthy(&script, pace)?;
    }
}
