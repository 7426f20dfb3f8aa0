//! Finds leaked TCP connections.

mod source;

use std::{net::IpAddr, time::Duration, time::Instant};

use source::kernel::{Kernel, KernelOptions};
use tracer_common::{COMM_LENGTH, EventRecord, FAMILY_INET6, SocketRecord};
use zerocopy::FromBytes;

/// A self-check of the kernel side, until the commands are there.
#[expect(clippy::print_stdout, reason = "it reports to who runs it")]
#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |name: &str, default: u32| {
        let text = arguments.iter().find_map(|argument| argument.strip_prefix(name));
        text.and_then(|text| text.parse().ok()).unwrap_or(default)
    };
    let pid = number("--pid=", 0);
    let options = KernelOptions {
        only_tracked: pid != 0,
        verbose: arguments.iter().any(|argument| argument == "-v"),
        ring_bytes: Some(number("--ring=", 8 << 20)),
    };
    if options.verbose {
        log::set_logger(&Printer).map_err(|_| anyhow::anyhow!("logger"))?;
        log::set_max_level(log::LevelFilter::Trace);
    }
    let started = Instant::now();
    let mut kernel = Kernel::load(options)?;
    println!("loaded {:?}; done flag {:x}", started.elapsed(), kernel.layout().done_flag);
    if arguments.iter().any(|argument| argument == "walk") {
        for _ in 0..number("--times=", 1) {
            let mut out = String::new();
            let quiet = arguments.iter().any(|argument| argument == "-q");
            let started = Instant::now();
            let stats = kernel.walk(&mut |record| {
                if !quiet {
                    use std::fmt::Write;
                    let _ = writeln!(out, "{}", describe_socket(record));
                }
            })?;
            let elapsed = started.elapsed();
            print!("{out}");
            println!("{stats:?} in {elapsed:?}");
        }
    }
    if arguments.iter().any(|argument| argument == "watch") {
        if pid != 0 {
            kernel.set_pids(&[pid])?;
        }
        let mut log = kernel.take_log()?;
        let mut ring = kernel.take_events()?;
        let reports = kernel.attach().to_vec();
        println!("attached {:?}", started.elapsed());
        for report in &reports {
            println!("{report}");
        }
        let quiet = arguments.iter().any(|argument| argument == "-q");
        let no_drain = arguments.iter().any(|argument| argument == "--no-drain");
        let end = Instant::now() + Duration::from_secs(number("--for=", 3).into());
        let (mut total, mut wakes) = (0, 0);
        while Instant::now() < end {
            tokio::select! {
                _ = ring.readable(), if !no_drain => wakes += 1,
                () = tokio::time::sleep(Duration::from_millis(250)) => {}
            }
            if !no_drain {
                total += ring.drain(100_000, |bytes| {
                    if !quiet && let Ok(record) = EventRecord::read_from_bytes(bytes) {
                        println!("{}", describe_event(&record));
                    }
                });
            }
            if let Some(log) = &mut log {
                log.flush();
            }
        }
        total += ring.drain(usize::MAX, |_| {});
        println!("{total} events, {wakes} wakes, {:?}", kernel.losses()?);
    }
    Ok(())
}

struct Printer;

impl log::Log for Printer {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }
    #[expect(clippy::print_stdout, reason = "it reports to who runs it")]
    fn log(&self, record: &log::Record<'_>) {
        if record.target().starts_with("tracer") {
            println!("LOG {} {}: {}", record.level(), record.target(), record.args());
        }
    }
    fn flush(&self) {}
}

fn address(family: u16, bytes: [u8; 16]) -> IpAddr {
    let [a, b, c, d, ..] = bytes;
    if family == FAMILY_INET6 { IpAddr::from(bytes) } else { IpAddr::from([a, b, c, d]) }
}

fn comm(bytes: [u8; COMM_LENGTH]) -> String {
    String::from_utf8_lossy(&bytes).trim_end_matches('\0').to_owned()
}

fn describe_event(record: &EventRecord) -> String {
    format!(
        "EVENT {} kind={} {}->{} cookie={:x} pid={} comm={} fd={} start={} netns={} {}:{} -> {}:{}",
        record.at_ns,
        record.kind,
        record.old_state,
        record.new_state,
        record.cookie,
        record.pid,
        comm(record.comm),
        record.fd,
        record.start_time_ns,
        record.netns,
        address(record.family, record.local_address),
        record.local_port,
        address(record.family, record.remote_address),
        record.remote_port,
    )
}

fn describe_socket(record: &SocketRecord) -> String {
    format!(
        "SOCKET pid={} fd={} ino={} comm={} state={} proto={} {}:{} -> {}:{} unread={} unsent={} rx={} tx={} cookie={:x} start={} netns={} flags={:x} err={}",
        record.pid,
        record.fd,
        record.inode,
        comm(record.comm),
        record.state,
        record.protocol,
        address(record.family, record.local_address),
        record.local_port,
        address(record.family, record.remote_address),
        record.remote_port,
        record.rcv_nxt.wrapping_sub(record.copied_seq),
        record.write_seq.wrapping_sub(record.snd_una),
        record.bytes_received,
        record.bytes_acked,
        record.cookie,
        record.start_time_ns,
        record.netns,
        record.flags,
        record.error,
    )
}
