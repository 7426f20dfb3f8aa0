use std::{
    io,
    mem::MaybeUninit,
    net::{SocketAddr, TcpStream},
    os::fd::AsRawFd as _,
    thread,
    time::{Duration, Instant},
};

/// Longest wait for the kernel: far more than loopback takes, so only a fault reaches it.
const DEADLINE: Duration = Duration::from_secs(20);

/// Opens connections from a thread other than the main thread, which exits afterwards.
pub(crate) fn connect_from_a_thread(
    address: SocketAddr,
    count: usize,
) -> io::Result<Vec<TcpStream>> {
    thread::Builder::new()
        .name("not-the-main-one".into())
        .spawn(move || (0..count).map(|_| TcpStream::connect(address)).collect())?
        .join()
        .map_err(|_| io::Error::other("the connecting thread panicked"))?
}

/// Duplicates the file descriptor, after raising the limit of open files. The duplicates stay open
/// until the process exits.
pub(crate) fn dup_many(stream: &TcpStream, count: libc::rlim_t) -> io::Result<()> {
    let most = count.saturating_add(1_000);
    let limit = libc::rlimit { rlim_cur: most, rlim_max: most };
    // SAFETY: the call reads the limit, which outlives it.
    if unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) } != 0 {
        return Err(io::Error::last_os_error());
    }
    for _ in 0..count {
        // SAFETY: dup touches no memory.
        if unsafe { libc::dup(stream.as_raw_fd()) } < 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

/// Makes closing the socket send a RST instead of a FIN.
pub(crate) fn reset_on_close(stream: &TcpStream) -> io::Result<()> {
    let linger = libc::linger { l_onoff: 1, l_linger: 0 };
    // SAFETY: the pointer and the length describe `linger`, which outlives the call.
    let result = unsafe {
        libc::setsockopt(
            stream.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_LINGER,
            (&raw const linger).cast(),
            length_of::<libc::linger>(),
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Waits until the socket is in a state, named as in the output of `tracer`.
pub(crate) fn await_state(stream: &TcpStream, name: &str) -> io::Result<()> {
    let wanted = match name {
        "ESTABLISHED" => 1,
        "FIN_WAIT2" => 5,
        "CLOSE" => 7,
        "CLOSE_WAIT" => 8,
        _ => return Err(io::Error::other(format!("await-state does not know {name}"))),
    };
    poll_until(|| Ok(state(stream)? == wanted))
}

/// Waits until at least `length` bytes can be read.
pub(crate) fn await_unread(stream: &TcpStream, length: usize) -> io::Result<()> {
    poll_until(|| Ok(unread_bytes(stream)? >= length))
}

/// `tcp_info.tcpi_state`. Unlike a read, this has no effect on what `tracer` sees.
fn state(stream: &TcpStream) -> io::Result<u8> {
    let mut information = MaybeUninit::<libc::tcp_info>::zeroed();
    let mut length = length_of::<libc::tcp_info>();
    // SAFETY: the pointer and `length` describe `information`, which outlives the call.
    let result = unsafe {
        libc::getsockopt(
            stream.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            information.as_mut_ptr().cast(),
            &raw mut length,
        )
    };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: it consists of integers and was zeroed, so any bytes from the kernel are valid.
    Ok(unsafe { information.assume_init() }.tcpi_state)
}

fn unread_bytes(stream: &TcpStream) -> io::Result<usize> {
    let mut length: libc::c_int = 0;
    // SAFETY: FIONREAD writes one `int` through the pointer, which points to `length`.
    let result = unsafe { libc::ioctl(stream.as_raw_fd(), libc::FIONREAD, &raw mut length) };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    usize::try_from(length).map_err(io::Error::other)
}

fn poll_until(mut condition: impl FnMut() -> io::Result<bool>) -> io::Result<()> {
    let deadline = Instant::now() + DEADLINE;
    while !condition()? {
        if Instant::now() > deadline {
            return Err(io::ErrorKind::TimedOut.into());
        }
        thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

/// The size of a socket option, in the type that the socket calls require.
#[expect(clippy::cast_possible_truncation, reason = "socket options are a few hundred bytes long")]
const fn length_of<T>() -> libc::socklen_t {
    size_of::<T>() as libc::socklen_t
}
