use std::{net::TcpListener, path::PathBuf, process::Command};

/// Whether the host has no IPv6, as in many containers; the test then says so and is skipped.
#[expect(clippy::print_stderr, reason = "the test harness shows it")]
pub(crate) fn lacks_ipv6() -> bool {
    let Err(error) = TcpListener::bind("[::1]:0") else { return false };
    eprintln!("skipped: this host has no IPv6 ({error})");
    true
}

/// A program, if it exists and succeeds with the arguments; if not, the test says so and is
/// skipped.
#[expect(clippy::print_stderr, reason = "the test harness shows it")]
pub(crate) fn found(program: &str, arguments: &[&str]) -> Option<PathBuf> {
    let output = Command::new(program).args(arguments).output();
    let works = output.is_ok_and(|it| it.status.success());
    if !works {
        eprintln!("skipped: no {program} that can {arguments:?}");
    }
    works.then(|| program.into())
}
