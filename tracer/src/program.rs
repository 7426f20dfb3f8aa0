//! The name by which this program was called, so that the commands that it prints run this program
//! and not another one that is also called `tracer`.

use std::{ffi::OsStr, path::Path, sync::OnceLock};

/// The name in documentation, and in commands unless the program was called by another one.
pub(crate) const NAME: &str = "tracer";

/// Longer names are treated as a mistake.
const LENGTH_MAX: usize = 64;

static CALLED_AS: OnceLock<String> = OnceLock::new();

/// Sets the name from the first argument of the process. Only the first call has an effect.
pub(crate) fn called_as(argument: Option<&OsStr>) {
    if let Some(name) = argument.and_then(|it| file_name(Path::new(it))) {
        // If it was set before, that name stays.
        let _ = CALLED_AS.set(name.to_owned());
    }
}

/// The name in commands.
pub(crate) fn name() -> &'static str {
    CALLED_AS.get().map_or(NAME, String::as_str)
}

/// The file name, if a shell takes it as it is. Whoever starts the program chooses it, so it may be
/// any text.
fn file_name(path: &Path) -> Option<&str> {
    let name = path.file_name()?.to_str()?;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let starts_plain = name.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
    (starts_plain && name.len() <= LENGTH_MAX && name.bytes().all(is_plain)).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_plain_file_name_is_used() {
        for (argument, expected) in [
            ("tcp-tracer", Some("tcp-tracer")),
            ("/usr/bin/tcp-tracer", Some("tcp-tracer")),
            ("./tracer_0.1", Some("tracer_0.1")),
            ("", None),
            ("..", None),
            ("-tracer", None),
            ("a b", None),
            ("$(reboot)", None),
            ("\x1b[2J", None),
            (&"a".repeat(65), None),
        ] {
            assert_eq!(file_name(Path::new(argument)), expected, "{argument:?}");
        }
    }
}
