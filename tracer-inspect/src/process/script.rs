//! The program that an interpreter runs: `billing.py` for
//! `python3 -u /srv/billing.py --token SECRET`.
//!
//! Only the name is kept, without directories and arguments, because command lines often contain
//! secrets. The argument after an unknown option could be its value, so in that case there is no
//! name.

mod options;

use std::{
    fs::File,
    io::{self, Read as _},
};

use self::options::{Interpreter, Meaning};

/// Maximum number of bytes read of a command line. Those of Java contain class paths.
const CMDLINE_MAX: u64 = 128 << 10;
/// `NAME_MAX` of `include/uapi/linux/limits.h`.
const NAME_MAX: usize = 255;

/// The name of the program that a process with the executable `exe` interprets: the file name of a
/// script or a jar, a Python module, or a Java class. `None` if `exe` is not a known interpreter, or
/// if the program is uncertain.
pub(super) fn script(pid: u32, exe: &str) -> Option<String> {
    Interpreter::of(file_name(exe))?;
    parse(exe, &cmdline(pid).ok()?)
}

/// The beginning of the command line: arguments that end with a NUL each.
pub(super) fn cmdline(pid: u32) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(format!("/proc/{pid}/cmdline"))?.take(CMDLINE_MAX).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Like [`script`], for the bytes of `/proc/PID/cmdline`: arguments that end with a NUL each.
pub fn parse(exe: &str, cmdline: &[u8]) -> Option<String> {
    let interpreter = Interpreter::of(file_name(exe))?;
    // Text after the last NUL was truncated, or the process has overwritten its arguments.
    let end = cmdline.iter().rposition(|byte| *byte == 0)?;
    let text = String::from_utf8_lossy(cmdline.get(..end)?);
    name(program(interpreter, text.split('\0').skip(1))?)
}

/// The argument that names the program.
fn program<'a>(
    interpreter: Interpreter,
    mut arguments: impl Iterator<Item = &'a str>,
) -> Option<&'a str> {
    loop {
        let argument = arguments.next()?;
        match interpreter.meaning(argument) {
            Meaning::Program => return Some(argument),
            Meaning::ProgramIs(program) => return Some(program),
            Meaning::ProgramFollows => return arguments.next(),
            Meaning::Flag => {}
            Meaning::ValueFollows => _ = arguments.next()?,
            Meaning::Unknown => return None,
        }
    }
}

/// The last component of a path; `None` if it is not the name of a file.
fn name(path: &str) -> Option<String> {
    let name = file_name(path.trim_end_matches('/'));
    (!matches!(name, "" | "." | ".." | "-") && name.len() <= NAME_MAX).then(|| name.to_owned())
}

fn file_name(path: &str) -> &str {
    let path = path.strip_suffix(" (deleted)").unwrap_or(path);
    path.rsplit('/').next().unwrap_or(path)
}

#[cfg(test)]
mod tests;
