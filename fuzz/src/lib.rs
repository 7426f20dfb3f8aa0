//! One function for each parser of untrusted bytes. `fuzz_targets/` calls them with the fuzzer's
//! inputs, and `tracer/tests/seeds.rs` with the seeds, in every test run.
//!
//! None of them may panic on any bytes, or use unbounded memory or time.

use std::{fs::File, io::Write as _, os::fd::FromRawFd as _};

use tracer_inspect::budget::{Allowance, Budget};

pub mod allocation;
pub mod frames;
pub mod go;
pub mod inspection;
pub mod kernel;
pub mod native;
pub mod process;
pub mod recording;

/// A parser with its name, which is also the name of its file in `fuzz_targets/` and of its folder
/// in `seeds/`.
pub type Target = (&'static str, fn(&[u8]));

/// All parsers.
pub const TARGETS: [Target; 18] = [
    ("ring_records", kernel::ring_records),
    ("iterator_stream", kernel::iterator_stream),
    ("kernel_types", kernel::types),
    ("recording_file", recording::file),
    ("recording_entries", recording::entries),
    ("go_tables", go::tables),
    ("go_executable", go::executable),
    ("go_build_info", go::build_info),
    ("go_debug_info", go::debug_info),
    ("epoll_fdinfo", process::epoll_fdinfo),
    ("thread_call", process::thread_call),
    ("mappings", process::mappings),
    ("process_files", process::files),
    ("unwind_tables", native::unwind_tables),
    ("symbol_names", native::symbol_names),
    ("perf_map", native::perf_map),
    ("call_site_rules", frames::rules),
    ("inspection_reply", inspection::reply),
];

/// Runs the target of this name.
///
/// # Panics
/// There is no target of this name, or it found a fault.
pub fn run(name: &str, bytes: &[u8]) {
    let target = TARGETS.iter().find(|(known, _)| *known == name);
    allocation::check(target.expect("the target is in the list").1, bytes);
}

/// What a parser may use for one input: in proportion less than for a real question, so that a
/// parser that does not count what it does exceeds the limits of the fuzzer.
fn budget() -> Budget {
    Budget::new(Allowance { bytes_max: 16 << 20, steps_max: 1 << 24, with_debug_info: true })
}

/// A private file with these bytes.
fn file_of(bytes: &[u8]) -> File {
    // SAFETY: the name is a C string, and the call reads nothing else.
    let fd = unsafe { libc::memfd_create(c"fuzzing".as_ptr(), libc::MFD_CLOEXEC) };
    assert!(fd >= 0, "there is no memory for a file");
    // SAFETY: the file descriptor was just created, so nothing else closes it.
    let mut file = unsafe { File::from_raw_fd(fd) };
    file.write_all(bytes).expect("there is memory for its bytes");
    file
}
