//! The file tables show the same as the iterator over files.

use super::*;
use std::time::Instant;
use tracer_inspect::clock;

#[test]
#[expect(clippy::print_stderr, reason = "the test harness shows it")]
fn compare() {
    let options = KernelOptions::default();
    let begin = clock::cpu_time();
    let mut kernel = Kernel::load(options).unwrap();
    eprintln!("load {:?}", clock::cpu_time() - begin);
    kernel.walk(Extent::All, Reading::InTurn, &mut |_| {}).unwrap();
    let begin = clock::cpu_time();
    let tables = match kernel.load_file_tables() {
        Ok(tables) => tables,
        Err(error) => panic!("{}", one_line(error.as_ref())),
    };
    eprintln!("load file tables {:?}", clock::cpu_time() - begin);
    for _ in 0..30 {
        let (mut slow, mut fast) = (Vec::new(), Vec::new());
        slow.reserve(40_000); fast.reserve(40_000);
        let (begin, started) = (clock::cpu_time(), Instant::now());
        let a = if std::env::var_os("ONLY").is_some() { Default::default() } else { kernel.walk(Extent::All, Reading::InTurn, &mut |record| slow.push(*record)).unwrap() };
        let (middle, mid) = (clock::cpu_time(), Instant::now());
        let b = kernel.walk_file_tables(&tables, &mut |record| fast.push(*record)).unwrap();
        let end = clock::cpu_time();
        let key = |record: &SocketRecord| (record.pid, record.fd, record.cookie);
        let slow_keys: BTreeSet<_> = slow.iter().map(key).collect();
        let fast_keys: BTreeSet<_> = fast.iter().map(key).collect();
        let equal = slow.iter().zip(&fast).filter(|(a, b)| SocketRecord{at_ns:0,jiffies:0,..**a} == SocketRecord{at_ns:0,jiffies:0,..**b}).count();
        eprintln!("slow {:?} ({:?}) fast {:?} ({:?}); {a:?} {b:?}; only slow {}, only fast {}, equal {equal}", middle - begin, mid - started, end - middle, mid.elapsed(),
          slow_keys.difference(&fast_keys).count(), fast_keys.difference(&slow_keys).count());
    }
}
