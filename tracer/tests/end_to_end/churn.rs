//! Connections that come and go leave nothing behind.

use crate::support::{Puppet, Tracer};

#[test]
#[ignore = "needs root and BPF; cargo xtask test runs it where the host allows"]
fn ten_thousand_connects_and_closes_leave_an_empty_table() {
    let (mut server, mut client) = (Puppet::start(), Puppet::start());
    let churned = server.listen();
    server.ask(&format!("accept-and-close {}", churned.fd));
    let kept = server.listen();
    let pids = format!("{},{}", client.pid(), server.pid());
    let mut tracer = Tracer::start(&format!("--pid {pids} --all -o json"));
    tracer.wait_until_it_looks();

    client.ask(&format!("churn {} 10000", churned.address));
    let last = client.connect(kept, 1)[0];
    // The only connection left was made after all others, so the tracer has seen them too.
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
