//! A process with a million file descriptors: `cargo xtask vm-test` runs it with the privilege to raise
//! the limit of open files that far.

use crate::support::{Kind, Leak, Memory, Report, Tracer, listed};

const LEAKED: usize = 5;

#[test]
#[expect(clippy::print_stderr, reason = "a skipped test says why")]
fn a_million_file_descriptors_of_a_socket() {
    let mut leak = Leak::of(Kind::Undrained, LEAKED);
    let fd = *leak.fds.first().expect("it has leaked");
    if let Err(reason) = leak.leaker.try_ask(&format!("dup {} times 1000000", listed(&[fd]))) {
        eprintln!("skipped: no process here may have a million file descriptors: {reason}");
        return;
    }
    let is_found = |report: &Report| {
        report.leaked_by(leak.pid()) == LEAKED as u64 && !report.leak_of(leak.pid()).is_null("exe")
    };

    let mut tracer = Tracer::start(&format!("--pid {} --idle 2s -o json", leak.pid()));
    tracer.wait_for_first_report();
    let memory = Memory::watch(tracer.id());
    let snapshots = |report: &Report| report.member("coverage")["snapshots"].as_u64().unwrap();
    let found = snapshots(&tracer.wait_until(is_found));
    let report = tracer.wait_until(|report| snapshots(report) >= found + 3);
    let processes = report.member("processes").as_array().unwrap();
    let fds = processes.iter().find(|process| process["pid"] == leak.pid()).unwrap();
    assert!(fds["tcp_fds"].as_u64() > Some(1_000_000), "{report}");
    assert!(report.to_string().len() < 1 << 20, "it lists a few of them");
    tracer.interrupt();
    memory.assert_limited();

    let audit = Tracer::start(&format!("audit --pid {} --idle 2s -o json", leak.pid()));
    let memory = Memory::watch(audit.id());
    let report = audit.finish().report();
    assert!(is_found(&report), "{report}");
    memory.assert_limited();
}
