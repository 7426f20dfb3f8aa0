//! Programs in C, C++ and Rust.

use std::process::Command;

use super::*;

/// Compiles a program.
fn compile(directory: &Path, name: &str, compiler: &str, from: &str, options: &[&str]) -> PathBuf {
    let program = directory.join(name);
    let mut command = Command::new(compiler);
    command.args(options).arg("-o").arg(&program).arg(source(from));
    let status = command.status().expect("the compiler is missing");
    assert!(status.success(), "{command:?}");
    program
}

pub(super) fn compile_c(directory: &Path, options: &[&str]) -> PathBuf {
    compile(directory, "waits", "cc", "waits.c", options)
}

pub(super) const FRAMED: &str = "-fno-omit-frame-pointer";

fn run(tool: &str, arguments: &[&str], directory: &Path) {
    let status = Command::new(tool).args(arguments).current_dir(directory).status();
    assert!(status.expect("binutils are missing").success(), "{tool} {arguments:?}");
}

/// The reason for a program without symbols.
fn symbols_missing() -> CallSiteReason {
    CallSiteReason::SymbolsMissing { module: Some("waits".to_owned()) }
}

#[test]
fn functions_and_inlined_functions_have_lines() {
    let directory = tempfile::tempdir().unwrap();
    let expected = format!("fetch waits.c:{}", line("waits.c", "the call site"));
    for options in [["-O0", "-g", FRAMED], ["-O2", "-g", FRAMED], ["-O2", "-g3", FRAMED]] {
        let program = compile_c(directory.path(), &options);
        let waiting = Waiting::start(&mut Command::new(program));
        assert_eq!(call_site(&waiting), Ok(Some(expected.clone())), "{options:?}");
    }
}

#[test]
fn a_symbol_table_gives_names_without_lines_and_a_stripped_program_has_none() {
    let directory = tempfile::tempdir().unwrap();
    let program = compile_c(directory.path(), &["-O2", FRAMED]);
    let waiting = Waiting::start(&mut Command::new(&program));
    assert_eq!(call_site(&waiting), Ok(Some("crawl (waits)".to_owned())));
    drop(waiting);
    run("strip", &["waits"], directory.path());
    let waiting = Waiting::start(&mut Command::new(&program));
    assert_eq!(call_site(&waiting), Err(symbols_missing()));
}

#[test]
fn a_debug_file_gives_a_stripped_program_lines() {
    let directory = tempfile::tempdir().unwrap();
    let program = compile_c(directory.path(), &["-O2", "-g", FRAMED]);
    let keep = ["--only-keep-debug", "--compress-debug-sections", "waits", "waits.debug"];
    run("objcopy", &keep, directory.path());
    run("strip", &["waits"], directory.path());
    run("objcopy", &["--add-gnu-debuglink=waits.debug", "waits"], directory.path());
    let expected = format!("fetch waits.c:{}", line("waits.c", "the call site"));
    let waiting = Waiting::start(&mut Command::new(&program));
    assert_eq!(call_site(&waiting), Ok(Some(expected)));
    drop(waiting);
    // A file that is not the program's debug file is ignored.
    fs::write(directory.path().join("waits.debug"), "nonsense").unwrap();
    let waiting = Waiting::start(&mut Command::new(&program));
    assert_eq!(call_site(&waiting), Err(symbols_missing()));
}

#[test]
fn code_without_frame_pointers_gives_a_reason_and_never_a_wrong_name() {
    let directory = tempfile::tempdir().unwrap();
    let program = compile_c(directory.path(), &["-O2", "-g", "-fomit-frame-pointer"]);
    let waiting = Waiting::start(&mut Command::new(&program));
    expect_lost_in_libc(&call_site(&waiting).unwrap_err());
    // A function pointer, and the stale return address of a call that has returned.
    for how in ["function", "stale"] {
        let waiting = Waiting::start(Command::new(&program).arg(how));
        assert!(waiting.stack().len() == 2, "{how}");
        expect_lost_in_libc(&call_site(&waiting).unwrap_err());
    }
}

#[test]
fn a_deleted_program_has_names() {
    let directory = tempfile::tempdir().unwrap();
    let program = compile_c(directory.path(), &["-O2", "-g", FRAMED]);
    let waiting = Waiting::start(&mut Command::new(&program));
    fs::remove_file(&program).unwrap();
    fs::write(&program, "another").unwrap();
    let found = call_site(&waiting);
    // Without CAP_SYS_ADMIN the file cannot be opened, and its path leads to another one.
    let expected = format!("fetch waits.c:{}", line("waits.c", "the call site"));
    let is_root = fs::read_dir("/proc/1/map_files").is_ok();
    assert_eq!(found, if is_root { Ok(Some(expected)) } else { Err(symbols_missing()) });
}

#[test]
fn rust_names_are_demangled() {
    let directory = tempfile::tempdir().unwrap();
    let options = ["-Copt-level=2", "-g", "-Cforce-frame-pointers=yes"];
    let program = compile(directory.path(), "waits", "rustc", "waits.rs", &options);
    let waiting = Waiting::start(&mut Command::new(program));
    let expected = format!("waits::ask waits.rs:{}", line("waits.rs", "stdin().read"));
    assert_eq!(call_site(&waiting), Ok(Some(expected)));
    let program = compile(directory.path(), "waits", "rustc", "waits.rs", &["-Copt-level=2", "-g"]);
    let waiting = Waiting::start(&mut Command::new(program));
    // Without frame pointers, a result must still be correct.
    if let Ok(Some(place)) = call_site(&waiting) {
        assert!(place.starts_with("waits::"), "{place}");
    }
}

#[cfg(feature = "root-tests")]
mod as_root {
    use super::*;

    #[test]
    fn a_program_in_another_mount_namespace_has_names() {
        let directory = tempfile::tempdir().unwrap();
        let program = compile_c(directory.path(), &["-O2", "-g", FRAMED]);
        let script = "mount -t tmpfs none /mnt && cp \"$0\" /mnt/inside && exec /mnt/inside";
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", script]).arg(&program);
        let waiting = Waiting::start(&mut command);
        let expected = format!("fetch waits.c:{}", line("waits.c", "the call site"));
        assert_eq!(call_site(&waiting), Ok(Some(expected)));
    }

    #[test]
    fn cpp_names_are_demangled() {
        let directory = tempfile::tempdir().unwrap();
        let options = ["-O1", "-g", FRAMED];
        let program = compile(directory.path(), "waits", "g++", "waits.cpp", &options);
        let waiting = Waiting::start(&mut Command::new(program));
        let expected =
            format!("acme::Client<int>::fetch waits.cpp:{}", line("waits.cpp", "call site"));
        assert_eq!(call_site(&waiting), Ok(Some(expected)));
    }
}
