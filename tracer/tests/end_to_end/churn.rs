//! Many short connections.

use std::time::{Duration, Instant};

use crate::support::{Puppet, Tracer};

/// How long the tracer is stopped.
const STOPPED: Duration = Duration::from_secs(10);

#[test]
fn ten_thousand_short_connections_leave_nothing() {
    let (mut server, mut client) = (Puppet::start(), Puppet::start());
    let churned = server.listen();
    server.ask(&format!("accept-and-close {}", churned.fd));
    let kept = server.listen();
    let pids = format!("{},{}", client.pid(), server.pid());
    let mut tracer = Tracer::start(&format!("--pid {pids} --all -o json"));
    tracer.wait_for_first_report();

    client.ask(&format!("churn {} 10000", churned.address));
    let last = client.connect(kept, 1)[0];
    // The only open connection was opened last, so the tracer has handled the events of all others.
    tracer.wait_until(|report| {
        let left = report.connections_of(client.pid());
        report.connections_of(server.pid()).is_empty()
            && matches!(left.as_slice(), [connection] if connection.fd() == last)
    });
    let outcome = tracer.interrupt();

    assert_eq!(outcome.code, 0, "{outcome:?}");
    let coverage = outcome.report().member("coverage").clone();
    assert_eq!(coverage["complete"], true, "{coverage:#}");
}

#[test]
fn events_lost_while_stopped_are_counted_and_made_up_for() {
    let (mut server, mut client) = (Puppet::start(), Puppet::start());
    let churned = server.listen();
    server.ask(&format!("accept-and-close {}", churned.fd));
    let kept = server.listen();
    let pids = format!("{},{}", client.pid(), server.pid());
    let mut tracer = Tracer::start(&format!("--pid {pids} --all -o json"));
    let gone = client.connect(kept, 3);
    tracer.wait_until(|report| report.connections_of(client.pid()).len() == 3);

    tracer.stop();
    let stopped_at = Instant::now();
    let mut count = 0;
    while count < 50_000 || stopped_at.elapsed() < STOPPED {
        client.ask(&format!("churn {} 10000", churned.address));
        count += 10_000;
    }
    client.close(&gone);
    let opened = client.connect(kept, 2);
    tracer.resume();

    let report = tracer.wait_until(|report| {
        let left = report.connections_of(client.pid());
        left.len() == opened.len() && left.iter().all(|it| opened.contains(&it.fd()))
    });
    let coverage = report.member("coverage");
    assert_ne!(coverage["events_lost"], 0, "the ring buffer cannot hold so many: {coverage:#}");
    assert_eq!(coverage["events_lost_unhealed"], 0, "{coverage:#}");
    let notes = coverage["notes"].as_array().unwrap();
    let cost = notes.iter().find(|note| note["code"] == "facts-lost").unwrap();
    assert!(cost["ages"].as_u64() >= Some(2), "the client opened two: {coverage:#}");
    assert_eq!(coverage["complete"], true, "{coverage:#}");
}
