//! What snapshots do not show, by construction (docs/correctness.md): it is in no report, and its
//! absence is not taken for a close or for a leak.

use std::{
    fs,
    io::Write as _,
    net::{TcpListener, TcpStream},
    os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
};

use crate::support::{Kind, Leak, Puppet, Report, Tracer};

fn is_complete(report: &Report) -> bool {
    report.member("coverage")["complete"] == true
}

/// In the queue of a listener, and in flight over a Unix socket.
#[test]
fn sockets_that_no_fd_refers_to_are_seen_once_one_does() {
    let (mut server, mut client, mut receiver) =
        (Puppet::start(), Puppet::start(), Puppet::start());
    let listener = server.listen();
    let opened = client.connect(listener, 3);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("passed");
    receiver.expect_passed(&path);
    client.put_in_flight(opened[0], &path);
    client.close(&opened[..1]);

    let pids = [server.pid(), client.pid(), receiver.pid()];
    let seen = || {
        let [a, b, c] = pids;
        let arguments = format!("audit --pid {a},{b},{c} --for 0s --all --fail-on certain -o json");
        let report = Tracer::run(&arguments).report();
        assert!(is_complete(&report), "{report}");
        pids.map(|pid| report.connections_of(pid).len())
    };
    assert_eq!(seen(), [0, 2, 0]);
    server.accept(listener, 3);
    receiver.take_passed();
    assert_eq!(seen(), [3, 2, 1]);
}

/// Sockets whose owner has closed their file descriptors: one is registered with an io_uring, the
/// other one is mapped, as `TCP_ZEROCOPY_RECEIVE` requires.
#[test]
#[expect(clippy::print_stderr, reason = "a skipped test says why")]
fn a_socket_that_only_io_uring_or_a_mapping_holds_is_not_seen() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let connect = || {
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (client, listener.accept().unwrap().0)
    };
    let (mapped, mut server) = connect();
    let pages = Pages::of(mapped.as_raw_fd());
    drop(mapped);
    // It is still open.
    server.write_all(b"text").unwrap();
    let (registered, mut server) = connect();
    let ring = ring_with(registered.as_raw_fd());
    drop(registered);
    match &ring {
        Some(_) => server.write_all(b"text").unwrap(),
        None => eprintln!("skipped in part: this host does not allow io_uring"),
    }

    let port = listener.local_addr().unwrap().port();
    let arguments = format!("audit -D {port} --for 0s --all --fail-on certain -o json");
    let report = Tracer::run(&arguments).report();
    assert!(is_complete(&report), "{report}");
    assert_eq!(report.connections_of(std::process::id()).len(), 0, "{report}");
    drop((ring, pages));
}

/// A page of this socket, mapped into this process.
struct Pages(*mut libc::c_void);

impl Pages {
    const LENGTH: usize = 4096;

    fn of(socket: i32) -> Self {
        let (read, shared) = (libc::PROT_READ, libc::MAP_SHARED);
        // SAFETY: it is a new mapping, which nothing accesses.
        let page =
            unsafe { libc::mmap(std::ptr::null_mut(), Self::LENGTH, read, shared, socket, 0) };
        assert_ne!(page, libc::MAP_FAILED, "{}", std::io::Error::last_os_error());
        Self(page)
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        // SAFETY: the mapping is that of `of`, and nothing refers to it.
        unsafe { libc::munmap(self.0, Self::LENGTH) };
    }
}

/// An io_uring at which this file is registered; `None` if the host does not allow it.
fn ring_with(fd: i32) -> Option<OwnedFd> {
    const REGISTER_FILES: libc::c_uint = 2;
    /// Size of `struct io_uring_params` in bytes.
    const PARAMETERS: usize = 120;
    let mut parameters = [0_u64; PARAMETERS / 8];
    // SAFETY: the kernel writes one `struct io_uring_params`, which the array has room for.
    let ring = unsafe { libc::syscall(libc::SYS_io_uring_setup, 1, parameters.as_mut_ptr()) };
    let ring = i32::try_from(ring).ok().filter(|ring| *ring >= 0)?;
    // SAFETY: the file descriptor was just made, and nothing else closes it.
    let ring = unsafe { OwnedFd::from_raw_fd(ring) };
    let call = libc::SYS_io_uring_register;
    // SAFETY: the kernel reads one file descriptor through the pointer, which is to a local.
    let result = unsafe { libc::syscall(call, ring.as_raw_fd(), REGISTER_FILES, &raw const fd, 1) };
    (result == 0).then_some(ring)
}

#[test]
fn a_process_that_lives_between_two_snapshots_leaks_nothing() {
    let mut peer = Puppet::start();
    let listener = peer.listen();
    let port = listener.address.port();
    let arguments = format!("-D {port} --idle 1s --interval 3s --all -o json");
    let mut tracer = Tracer::start(&arguments);
    tracer.wait_for_first_report();
    for _ in 0..5 {
        let mut short = Puppet::start();
        short.connect(listener, 2);
        let accepted = peer.accept(listener, 2);
        peer.send(&accepted, 100);
        short.end();
        peer.close(&accepted);
    }
    tracer.wait_for_next_report();
    let report = tracer.wait_for_next_report();
    assert!(report.any_leak().is_none(), "{report}");
    assert!(is_complete(&report), "{report}");
}

/// The perf map of a process is a FIFO without a writer: the run does not wait for it.
#[test]
fn a_fifo_in_place_of_a_perf_map_does_not_block_a_run() {
    let mut leak = Leak::prepare(Kind::Undrained);
    let path = format!("/tmp/perf-{}.map", leak.pid());
    let name = std::ffi::CString::new(path.clone()).unwrap();
    // SAFETY: the name is a string of C, which the call only reads.
    assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o600) }, 0);
    let mut tracer = Tracer::start(&format!("--pid {} --idle 2s -o json", leak.pid()));
    tracer.wait_for_first_report();
    leak.grow(5);
    let report = tracer.wait_until(|report| report.leaked_by(leak.pid()) == 5);
    leak.assert_reported_by(&report);
    fs::remove_file(path).unwrap();
}
