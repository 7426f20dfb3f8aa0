//! A pass over file tables reports the same as one over files.

use super::*;
use tracer_inspect::clock;

#[test]
#[expect(clippy::print_stderr, reason = "the test harness shows it")]
fn measure() {
    let mut kernel = Kernel::load(KernelOptions::default()).unwrap();
    for _ in 0..4 {
        kernel.walk_files(Extent::All, Reading::InTurn, &mut |_| {}).unwrap();
    }
    let begin = clock::cpu_time();
    kernel.load_file_tables(Extent::All).unwrap();
    eprintln!("loaded in {:?}", clock::cpu_time() - begin);
    for _ in 0..20 {
        let begin = clock::cpu_time();
        let slow = kernel.walk_files(Extent::All, Reading::InTurn, &mut |_| {}).unwrap().records;
        let middle = clock::cpu_time();
        let fast = kernel.walk_file_tables(&mut |_| {}).unwrap();
        let end = clock::cpu_time();
        eprintln!("slow {:?} fast {:?} {slow} {fast}", middle - begin, end - middle);
    }
}
