//! Every parser of bytes from outside, with what was once found and with real bytes: `fuzz/seeds`.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "../../fuzz/src/lib.rs"]
#[expect(dead_code, unreachable_pub, reason = "it is a crate of its own for the fuzzer")]
mod parsers;

use std::{collections::BTreeSet, fs, path::PathBuf};

use parsers::TARGETS;

fn names_in(directory: &str) -> BTreeSet<String> {
    let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz")).join(directory);
    let entries = fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path());
    entries.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect()
}

#[test]
fn every_parser_has_a_target_and_seeds() {
    let names = TARGETS.map(|(name, _)| name.to_owned()).into();
    assert_eq!(names_in("fuzz_targets"), names);
    assert_eq!(names_in("seeds"), names);
}

#[test]
fn no_parser_stumbles_over_a_seed() {
    for (name, parse) in TARGETS {
        let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz/seeds"));
        let mut count = 0;
        for seed in fs::read_dir(path.join(name)).unwrap() {
            let bytes = fs::read(seed.unwrap().path()).unwrap();
            parse(&bytes);
            // What is cut short is no more than any other bytes.
            for length in [1, bytes.len() / 3, bytes.len() / 2, bytes.len().saturating_sub(1)] {
                parse(bytes.get(..length).unwrap_or_default());
            }
            count += 1;
        }
        assert!(count > 0, "{name} has no seed");
    }
}
