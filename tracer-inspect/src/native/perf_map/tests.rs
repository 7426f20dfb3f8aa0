use std::{
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use rustix::fs::{CWD, FileType, Mode, mknodat};

use super::*;
use crate::{
    budget::Allowance,
    process::identity::{TICK_NS, started},
};

fn look_up(text: impl Read, addresses: &[u64]) -> Vec<Option<String>> {
    let mut map = PerfMap::default();
    map.look_up(text, addresses, &Budget::default()).unwrap();
    addresses.iter().map(|address| map.name(*address).map(str::to_owned)).collect()
}

#[test]
fn the_latest_function_at_an_address_is_found() {
    let text = "1000 100 first\n\
         1000 80 JS:*second /app/a b.js:1:2\n\
         0x1040 10 third\n\
         2000 0 nothing\n\
         nonsense\n\
         ffffffffffffffff 10 too far\n\
         3000 100 unfini";
    let addresses = [0x1000, 0x1048, 0x1080, 0x1100, 0, 0x2000, 0x3000, u64::MAX];
    let mut expected = vec![None; addresses.len()];
    expected[0] = Some("JS:*second /app/a b.js:1:2".to_owned());
    expected[1] = Some("third".to_owned());
    // After the end of the second.
    expected[2] = Some("first".to_owned());
    assert_eq!(look_up(text.as_bytes(), &addresses), expected);
}

#[test]
fn lines_are_found_across_windows_and_long_ones_are_skipped() {
    let line = |number: u64| format!("{:x} 10 function {number}\n", 0x1000 + number * 0x10);
    let lines: String = (0..40_000).map(line).collect();
    let (long, cut) = ("x".repeat(3 * WINDOW), "y".repeat(LINE_MAX - 6));
    let text = format!("{lines}10 10 {long}\n20 10 {cut}\n30 10 last\n");
    let addresses: Vec<u64> = (0..40_000).map(|number| 0x1008 + number * 0x10).collect();
    for (number, name) in (0..).zip(look_up(text.as_bytes(), &addresses)) {
        assert_eq!(name, Some(format!("function {number}")));
    }
    let [long, cut, last] = &look_up(text.as_bytes(), &[0x10, 0x20, 0x30])[..] else { panic!() };
    assert_eq!((long, last.as_deref()), (&None, Some("last")));
    assert_eq!(cut.as_ref().unwrap().len(), NAME_MAX);
}

#[test]
fn a_map_that_never_ends_exceeds_the_budget() {
    let allowance = Allowance { steps_max: 1 << 20, ..Allowance::default() };
    for text in ["\n", "a", "0 ffffffff f\n"] {
        let budget = Budget::new(allowance);
        let endless = std::iter::repeat(text.as_bytes()).flatten().copied();
        let endless = Endless(Box::new(endless));
        let mut map = PerfMap::default();
        map.look_up(endless, &(0..100).collect::<Vec<_>>(), &budget).unwrap();
        assert!(budget.is_exceeded(), "{text:?}");
    }
}

struct Endless(Box<dyn Iterator<Item = u8>>);

impl Read for Endless {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        Ok(buffer.iter_mut().zip(&mut self.0).map(|(to, from)| *to = from).count())
    }
}

/// A process, and the place of its map.
struct Example {
    child: Child,
    path: PathBuf,
}

impl Example {
    fn new() -> Self {
        let child = Command::new("sleep").arg("600").stdin(Stdio::null()).spawn().unwrap();
        let path = format!("/tmp/perf-{}.map", child.id()).into();
        Self { child, path }
    }

    /// The name at an address.
    fn name(&self, address: u64) -> Result<Option<String>, CallSiteReason> {
        let pid = self.child.id();
        let start_time_ns = started(pid).unwrap() * TICK_NS;
        let mut maps = PerfMaps::default();
        let map = maps.of(ProcessKey { start_time_ns, pid }, &[address], &Budget::default())?;
        Ok(map.and_then(|map| map.name(address)).map(str::to_owned))
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

#[test]
fn only_a_regular_file_of_a_limited_size_is_read() {
    let example = Example::new();
    assert_eq!(example.name(0x1000), Ok(None));
    // A FIFO without a writer.
    mknodat(CWD, &example.path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    assert_eq!(example.name(0x1000), Err(CallSiteReason::PerfMapUntrusted));
    fs::remove_file(&example.path).unwrap();
    std::os::unix::fs::symlink("/dev/zero", &example.path).unwrap();
    assert!(example.name(0x1000).is_err());
    fs::remove_file(&example.path).unwrap();

    fs::write(&example.path, "1000 10 fetch\n").unwrap();
    assert_eq!(example.name(0x1008), Ok(Some("fetch".to_owned())));
    let file = File::options().append(true).open(&example.path).unwrap();
    file.set_len(16 << 20).unwrap();
    assert_eq!(example.name(0x1008), Ok(Some("fetch".to_owned())), "a hole follows");
    file.set_len(MAP_MAX + 1).unwrap();
    let too_large = CallSiteReason::PerfMapTooLarge { bytes_max: MAP_MAX };
    assert_eq!(example.name(0x1008), Err(too_large));
}
