//! Every parser of untrusted bytes, run with its seeds in `fuzz/seeds` and with changed copies of
//! them. This needs no nightly compiler; `cargo xtask fuzz` searches for longer.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "../../fuzz/src/lib.rs"]
#[expect(unreachable_pub, reason = "it is a crate of its own for the fuzzer")]
mod parsers;

use std::{collections::BTreeSet, fs, path::PathBuf};

use parsers::TARGETS;

/// The number of changed copies of each seed that are parsed.
const CHANGED_COPIES: u64 = 256;

/// Values that parsers treat specially: limits of integers, signs, separators.
const SPECIAL: [u8; 8] = [0, 1, 0x7f, 0x80, 0xff, b'\n', b' ', b'9'];

fn names_in(directory: &str) -> BTreeSet<String> {
    let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz")).join(directory);
    let entries = fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path());
    entries.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect()
}

/// The seeds of a parser, by name.
fn seeds(name: &str) -> Vec<Vec<u8>> {
    let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz/seeds")).join(name);
    let entries = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<_> = entries.collect();
    paths.sort();
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

/// Pseudo-random numbers that are the same in each run (SplitMix64).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `limit`, which is not 0.
    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit as u64).unwrap()
    }
}

/// A copy with up to eight changes: a bit flipped, a byte replaced, or a part removed or repeated.
fn changed(seed: &[u8], numbers: &mut Numbers) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for _ in 0..=numbers.below(8) {
        if bytes.is_empty() {
            break;
        }
        let at = numbers.below(bytes.len());
        let end = at + numbers.below((bytes.len() - at).min(64)) + 1;
        match numbers.below(4) {
            0 => bytes[at] ^= 1 << numbers.below(8),
            1 => bytes[at] = SPECIAL[numbers.below(SPECIAL.len())],
            2 => drop(bytes.drain(at..end)),
            _ => bytes.extend_from_within(at..end),
        }
    }
    bytes
}

#[test]
fn every_parser_has_a_target_and_seeds() {
    let names = TARGETS.map(|(name, _)| name.to_owned()).into();
    assert_eq!(names_in("fuzz_targets"), names);
    assert_eq!(names_in("seeds"), names);
}

/// Each parser is checked for panics and for what it allocates.
#[test]
fn no_parser_fails_on_a_seed() {
    for (name, _) in TARGETS {
        let seeds = seeds(name);
        assert!(!seeds.is_empty(), "{name} has no seed");
        for bytes in seeds {
            parsers::run(name, &bytes);
            for length in [1, bytes.len() / 3, bytes.len() / 2, bytes.len().saturating_sub(1)] {
                parsers::run(name, bytes.get(..length).unwrap_or_default());
            }
        }
    }
}

#[test]
fn no_parser_fails_on_a_changed_seed() {
    for (name, _) in TARGETS {
        for seed in seeds(name) {
            let mut numbers = Numbers(0);
            for _ in 0..CHANGED_COPIES {
                parsers::run(name, &changed(&seed, &mut numbers));
            }
        }
    }
}
