//! Processes that do all they can to delay, fill or crash an inspection: snapshots continue, other
//! processes are inspected, and memory stays limited.
//!
//! Each test checks that with [`Siege`]. `tests/faults/hostile.c` is the program.

use std::{
    fs::{self, File},
    io::Write as _,
    os::unix::fs::{FileExt as _, symlink},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use tempfile::TempDir;

use crate::support::{
    Kind, Leak, Listener, Memory, Program, Puppet, Report, Tracer, compile_c, one_by_one,
    replace_by_compressed, replace_section,
};

/// How many connections each process leaks.
const COUNT: usize = 5;
const FLAGS: &str = "-g0 -O1 -fno-omit-frame-pointer";

fn compile(directory: &Path, flags: &str) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/faults/hostile.c");
    compile_c(&source, directory, &format!("{FLAGS} {flags}"))
}

/// A hostile process, and the command that makes it leak a connection.
struct Hostile {
    program: Program,
    command: &'static str,
    perf_map: PathBuf,
    /// Whether its executable can be determined.
    has_executable: bool,
}

impl Hostile {
    fn start(executable: &Path, command: &'static str) -> Self {
        Self::start_by(executable, "", command)
    }

    /// Starts it through a program that executes it; `arguments` are split at white space.
    fn start_by(executable: &Path, arguments: &str, command: &'static str) -> Self {
        let program = Program::start_ready(executable, arguments);
        let perf_map = format!("/tmp/perf-{}.map", program.pid()).into();
        Self { program, command, perf_map, has_executable: true }
    }

    fn pid(&self) -> u32 {
        self.program.pid()
    }

    fn ask(&mut self, command: &str) {
        let answer = self.program.ask(command);
        assert!(answer.starts_with("ok"), "{command}: {answer}");
    }
}

impl Drop for Hostile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.perf_map);
    }
}

/// A run that watches hostile processes, and a harmless one that leaks as well.
struct Siege {
    hostile: Vec<Hostile>,
    harmless: Leak,
    peer: Puppet,
    listener: Listener,
    tracer: Tracer,
    memory: Memory,
}

impl Siege {
    /// Starts the run, and makes all processes leak.
    fn of(hostile: Vec<Hostile>) -> Self {
        let harmless = Leak::prepare(Kind::Undrained);
        let mut peer = Puppet::start();
        let listener = peer.listen();
        let mut pids: Vec<String> = hostile.iter().map(|it| it.pid().to_string()).collect();
        pids.push(harmless.pid().to_string());
        let arguments = format!("--pid {} --idle 2s --interval 1s -o json", pids.join(","));
        let mut tracer = Tracer::start(&arguments);
        tracer.wait_for_first_report();
        let memory = Memory::watch(tracer.id());
        let mut siege = Self { hostile, harmless, peer, listener, tracer, memory };
        siege.leak();
        siege
    }

    fn leak(&mut self) {
        let port = self.listener.address.port();
        one_by_one(COUNT, || {
            for hostile in &mut self.hostile {
                hostile.ask(&format!("{} {port}", hostile.command));
                let other_end = self.peer.accept(self.listener, 1);
                self.peer.send(&other_end, 8 * 1024);
            }
        });
        self.harmless.grow(COUNT);
    }

    /// Checks that all leaks are found, that snapshots continue meanwhile and afterwards, and how
    /// much memory that took. Returns the last report.
    fn check(mut self) -> Report {
        let harmless = self.harmless.pid();
        let hostile = self.hostile.iter().map(|it| (it.pid(), it.has_executable));
        let hostile: Vec<(u32, bool)> = hostile.collect();
        let snapshots = |report: &Report| report.member("coverage")["snapshots"].as_u64().unwrap();
        let report = self.tracer.wait_until(|report| {
            report.leaked_by(harmless) == COUNT as u64 && !report.leak_of(harmless).is_null("exe")
        });
        let first = snapshots(&report);
        self.tracer.wait_until(|report| snapshots(report) >= first + 3);
        self.tracer.wait_until(|report| {
            hostile.iter().all(|(pid, has_executable)| {
                report.leaked_by(*pid) == COUNT as u64
                    && (!has_executable || !report.leak_of(*pid).is_null("exe"))
            })
        });
        let outcome = self.tracer.interrupt();
        assert_eq!(outcome.code, 1, "{outcome:?}");
        let report = outcome.report();
        self.harmless.assert_reported_by(&report);
        self.memory.assert_limited();
        report
    }
}

/// The codes of the limits of call sites in the coverage of a report.
fn call_site_limits(report: &Report) -> Vec<String> {
    let notes = report.member("coverage")["notes"].as_array().unwrap().clone();
    let limits = notes.iter().filter(|note| note["code"] == "call-site-limit");
    limits.map(|note| note["reason"].to_string()).collect()
}

#[test]
fn perf_maps_that_are_huge_or_endless_or_no_files() {
    let directory = tempfile::tempdir().unwrap();
    let program = compile(directory.path(), "");
    let start = || Hostile::start(&program, "connect-generated");
    let hostile = [start(), start(), start(), start(), start()];
    let [valid, huge, endless, fifo, device] = &hostile;

    fs::write(&valid.perf_map, "200000000000 1000 py::charge:/srv/app.py\n").unwrap();
    // The function is in every line.
    let lines = "200000000000 1000 py::charge:/srv/app.py\n".repeat(25_000);
    let mut file = File::create(&huge.perf_map).unwrap();
    for _ in 0..240 {
        file.write_all(lines.as_bytes()).unwrap();
    }
    File::create(&endless.perf_map).unwrap().set_len(255 << 20).unwrap();
    let name = std::ffi::CString::new(fifo.perf_map.to_str().unwrap()).unwrap();
    // SAFETY: the name is a string of C, which the call only reads.
    assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o600) }, 0);
    symlink("/dev/zero", &device.perf_map).unwrap();
    let pid = valid.pid();

    let report = Siege::of(hostile.into()).check();

    let leak = report.leak_of(pid);
    assert!(leak.text("call_site").contains("charge"), "{report}");
}

#[test]
fn programs_with_sections_beyond_all_bounds_and_debug_information_that_recurses() {
    let directories = [(); 4].map(|()| tempfile::tempdir().unwrap());
    let [debug_info, symbols, unwinding, recursing] = directories.each_ref().map(TempDir::path);
    let mut programs = Vec::new();
    for (directory, section) in
        [(debug_info, ".debug_info"), (symbols, ".symtab"), (unwinding, ".eh_frame")]
    {
        let program = compile(directory, "-g");
        enlarge(&program, section);
        programs.push(program);
    }
    programs.push(compile(recursing, "-DRECURSING"));
    let hostile = programs.iter().map(|program| Hostile::start(program, "connect")).collect();

    let report = Siege::of(hostile).check();

    assert!(report.any_leak().is_some(), "{report}");
}

/// Makes a section 8 GiB long: a hole at the end of the file.
fn enlarge(program: &Path, name: &str) {
    replace_section(program, name, &[], 8 << 30);
}

/// The sizes in the headers are within all limits, and not true. The functions are still named.
#[test]
fn debug_information_whose_compressed_size_lies() {
    let directories = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let [small, large] = directories.each_ref().map(|directory| compile(directory.path(), "-g"));
    // It inflates to 4 GiB, and to 1 MiB.
    replace_by_compressed(&small, ".debug_info", 4 << 10, 4 << 10);
    replace_by_compressed(&large, ".debug_info", 63 << 20, 1);
    let hostile = [small, large].map(|program| Hostile::start(&program, "connect"));
    let pids = hostile.each_ref().map(Hostile::pid);

    let report = Siege::of(hostile.into()).check();

    for pid in pids {
        let leak = report.leak_of(pid);
        assert!(leak.text("call_site").contains("leak_one"), "{report}");
    }
}

/// An entry of `.eh_frame`, whose CIE is this many bytes before its second field.
fn unwind_entry(cie: usize, content: &[u8]) -> Vec<u8> {
    let halves =
        [content.len() + 4, cie].map(|number| u32::try_from(number).unwrap().to_le_bytes());
    [halves.as_flattened(), content].concat()
}

/// The code of the program, as an entry describes it.
fn all_code() -> Vec<u8> {
    [0_u64, u64::MAX >> 1].map(u64::to_le_bytes).concat()
}

#[test]
fn unwind_tables_that_recurse() {
    const REMEMBER_STATE: u8 = 0x0a;
    let directories = [(); 2].map(|()| tempfile::tempdir().unwrap());
    // The entry is its own CIE.
    let cyclic = unwind_entry(4, &all_code());
    // A long CIE (version, augmentation, alignments, return address, instructions), which each of
    // 50,000 entries refers to, and states within states.
    let mut nested =
        unwind_entry(0, &[&[1, 0, 1, 0x78, 16][..], &[REMEMBER_STATE; 1_000]].concat());
    for _ in 0..50_000 {
        nested.extend(unwind_entry(nested.len() + 4, &[0; 16]));
    }
    let states = [all_code(), vec![REMEMBER_STATE; 60_000]].concat();
    nested.extend(unwind_entry(nested.len() + 4, &states));
    let hostile = directories.iter().zip([cyclic, nested]).map(|(directory, table)| {
        // The innermost function is in the program itself.
        let program = compile(directory.path(), "-static");
        replace_section(&program, ".eh_frame", &table, table.len() as u64);
        Hostile::start(&program, "connect")
    });

    Siege::of(hostile.collect()).check();
}

/// Reading a mapping beyond the end of its file is a SIGBUS.
#[test]
fn a_library_that_is_truncated_while_it_is_read() {
    let directories = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let [programs, libraries] = directories.each_ref().map(TempDir::path);
    let program = compile(programs, "");
    let library = compile(libraries, "-g -DLIBRARY -shared -fPIC");
    let mut hostile = Hostile::start(&program, "connect-library");
    hostile.ask(&format!("load {}", library.display()));
    let siege = Siege::of(vec![hostile]);

    let is_over = Arc::<AtomicBool>::default();
    let ends = Arc::clone(&is_over);
    let truncating = thread::spawn(move || {
        let content = fs::read(&library).unwrap();
        let file = File::options().write(true).open(&library).unwrap();
        while !ends.load(Ordering::Relaxed) {
            file.set_len(4096).unwrap();
            file.write_all_at(&content, 0).unwrap();
        }
    });
    siege.check();
    is_over.store(true, Ordering::Relaxed);
    truncating.join().unwrap();
}

#[expect(clippy::print_stderr, reason = "a skipped test says why")]
fn lacks_fuse() -> bool {
    let is_missing = fs::metadata("/dev/fuse").is_err();
    if is_missing {
        eprintln!("skipped: this host has no FUSE");
    }
    is_missing
}

/// Checks that the report says that a file was not opened, and on which file system it is.
#[track_caller]
fn assert_not_local(report: &Report) {
    let limits = call_site_limits(report);
    let is_fuse = |limit: &String| limit.contains("file-not-local") && limit.contains("fuse.hang");
    assert!(limits.iter().any(is_fuse), "{report}");
}

#[test]
fn a_file_system_that_never_answers() {
    if lacks_fuse() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let mut hostile = Hostile::start(&compile(directory.path(), ""), "connect-generated");
    hostile.ask("hide-tmp");

    assert_not_local(&Siege::of(vec![hostile]).check());
}

/// Neither the worker nor `tracer` opens it.
#[test]
fn a_program_on_a_file_system_that_no_longer_answers() {
    if lacks_fuse() {
        return;
    }
    let [directory, mount_point] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let program = compile(directory.path(), "");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/faults/fuse.c");
    let fuse = compile_c(&source, directory.path(), "");
    let arguments = format!("{} {}", program.display(), mount_point.path().display());
    let hostile = Hostile::start_by(&fuse, &arguments, "connect");
    let pid = hostile.pid();
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
    let server = children.trim().parse().unwrap();
    // SAFETY: it is a child of a process that this test has started and not waited for.
    assert_eq!(unsafe { libc::kill(server, libc::SIGSTOP) }, 0);

    assert_not_local(&Siege::of(vec![hostile]).check());
}

#[test]
fn eighteen_thousand_files_and_twenty_thousand_threads() {
    let directory = tempfile::tempdir().unwrap();
    let program = compile(directory.path(), "");
    let mut hostile = [(); 3].map(|()| Hostile::start(&program, "connect"));
    for (hostile, command) in hostile.iter_mut().zip(["files 18000", "threads 20000", "scribble 8"])
    {
        hostile.ask(command);
    }

    Siege::of(hostile.into()).check();
}

/// The kernel shows a file descriptor once for each of these threads: four million times.
#[test]
fn threads_without_their_main_thread_that_share_duplicates_of_a_socket() {
    let directory = tempfile::tempdir().unwrap();
    let mut hostile = Hostile::start(&compile(directory.path(), ""), "connect");
    hostile.ask("threads 2000");
    hostile.ask("end-main-thread 0");
    hostile.ask("duplicates 2000");
    hostile.has_executable = false;

    Siege::of(vec![hostile]).check();
}
