use std::net::TcpListener;

/// Whether the host has no IPv6, as many containers do not; a test of it then has nothing to test
/// and says so.
#[expect(clippy::print_stderr, reason = "the test harness shows it")]
pub(crate) fn lacks_ipv6() -> bool {
    let Err(error) = TcpListener::bind("[::1]:0") else { return false };
    eprintln!("skipped: this host has no IPv6 ({error})");
    true
}
