use std::{
    io,
    net::UdpSocket,
    os::fd::{AsRawFd as _, RawFd},
};

/// Moves the process into a new network namespace and brings its loopback interface up. Requires
/// root.
///
/// The namespace exists until the process has exited and its sockets are closed.
pub(crate) fn leave() -> io::Result<()> {
    // SAFETY: unshare with CLONE_NEWNET touches no memory.
    if unsafe { libc::unshare(libc::CLONE_NEWNET) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // Interfaces can be configured through any socket of the namespace.
    bring_up_loopback(UdpSocket::bind("0.0.0.0:0")?.as_raw_fd())
}

fn bring_up_loopback(socket: RawFd) -> io::Result<()> {
    // SAFETY: `ifreq` consists of integers and a union of plain data, for which zeros are valid.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(c"lo".to_bytes()) {
        *to = libc::c_char::from_ne_bytes([*from]);
    }
    request.ifr_ifru.ifru_flags =
        libc::c_short::try_from(libc::IFF_UP).map_err(io::Error::other)?;
    #[allow(clippy::unnecessary_cast, reason = "the type of requests differs with musl")]
    let number = libc::SIOCSIFFLAGS as libc::Ioctl;
    // SAFETY: SIOCSIFFLAGS reads one `ifreq` from the pointer, which points to `request`.
    match unsafe { libc::ioctl(socket, number, &raw const request) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
