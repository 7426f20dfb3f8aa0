//! One function for each parser of bytes that come from outside, for the targets in `fuzz/`.
//!
//! None of them may panic, whatever the bytes, nor take memory or time without bound. What was once
//! found is in `fuzz/seeds/TARGET/` beside real bytes, and every ordinary test run goes through it.

use std::{fs::File, io::Write as _, os::fd::FromRawFd as _};

use tracer_core::{Detector, Input, Options, Timestamp};

use crate::{go, mappings, processes, readers, recording, source, symbols};

/// A parser under its name, which is that of its file in `fuzz/fuzz_targets/` too.
pub type Target = (&'static str, fn(&[u8]));

/// All of them.
pub const TARGETS: [Target; 17] = [
    ("ring_records", source::fuzzing::ring_records),
    ("iterator_stream", source::fuzzing::iterator_stream),
    ("kernel_types", source::fuzzing::kernel_types),
    ("recording_file", recording::fuzzing::file),
    ("recording_entries", recording::fuzzing::entries),
    ("go_tables", go::fuzzing::tables),
    ("go_executable", go::fuzzing::executable),
    ("go_build_info", go::fuzzing::build_info),
    ("go_debug_info", go::fuzzing::debug_info),
    ("epoll_fdinfo", readers::fuzzing::epoll_fdinfo),
    ("thread_call", readers::fuzzing::thread_call),
    ("unwind_tables", symbols::fuzzing::unwind_tables),
    ("symbol_names", symbols::fuzzing::symbol_names),
    ("call_site_rules", symbols::fuzzing::call_site_rules),
    ("perf_map", symbols::fuzzing::perf_map),
    ("mappings", mappings::fuzz),
    ("process_files", processes::fuzz),
];

/// Runs the target of this name; the targets in `fuzz/` are nothing but this.
///
/// # Panics
/// There is none of this name, or it found something.
pub fn run(name: &str, bytes: &[u8]) {
    let target = TARGETS.iter().find(|(known, _)| *known == name);
    target.expect("the target is in the list").1(bytes);
}

/// What the judge makes of inputs, of which nothing is certain but their types.
pub(crate) fn judge(inputs: impl IntoIterator<Item = Input>, now: Timestamp) {
    let mut detector = Detector::new(Options::default());
    for input in inputs {
        detector.handle(input);
    }
    detector.questions(now);
    detector.handle(Input::Tick(now));
    drop(detector.report());
}

/// A file that nobody else has, with these bytes.
pub(crate) fn file_of(bytes: &[u8]) -> File {
    // SAFETY: the name is a string of C, and the call reads nothing else.
    let fd = unsafe { libc::memfd_create(c"fuzzing".as_ptr(), libc::MFD_CLOEXEC) };
    assert!(fd >= 0, "there is no memory for a file");
    // SAFETY: the descriptor was just made and is nobody else's.
    let mut file = unsafe { File::from_raw_fd(fd) };
    file.write_all(bytes).expect("there is memory for its bytes");
    file
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, path::PathBuf};

    use super::*;

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
}
