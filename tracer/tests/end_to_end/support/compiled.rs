use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

/// The source of a program whose stacks are known.
pub(crate) fn call_site_source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/call_sites").join(name)
}

/// Compiles a C program; flags are split at white space.
pub(crate) fn compile_c(source: &Path, directory: &Path, flags: &str) -> PathBuf {
    // Rust uses it for linking, so it exists wherever these tests could be built.
    compile(Command::new("cc").args(flags.split_whitespace()).arg("-pthread"), source, directory)
}

/// Compiles a Rust program; flags are split at white space.
pub(crate) fn compile_rust(source: &Path, directory: &Path, flags: &str) -> PathBuf {
    // The compiler next to the cargo that runs the tests: sudo may use another search path.
    let cargo = env::var_os("CARGO").map(PathBuf::from);
    let beside = cargo.map(|it| it.with_file_name("rustc")).filter(|it| it.is_file());
    let mut rustc = Command::new(beside.unwrap_or_else(|| "rustc".into()));
    compile(rustc.arg("--edition=2024").args(flags.split_whitespace()), source, directory)
}

fn compile(compiler: &mut Command, source: &Path, directory: &Path) -> PathBuf {
    let program = directory.join(source.file_stem().expect("it has a name"));
    let command = compiler.arg("-o").arg(&program).arg(source);
    let status = command.status().expect("the compiler starts");
    assert!(status.success(), "{command:?}");
    program
}
