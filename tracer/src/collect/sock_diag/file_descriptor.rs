//! One file descriptor of another process, duplicated, queried and closed again.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream},
    os::{
        fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd},
        unix::fs::MetadataExt as _,
    },
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open},
};

use super::{
    seen::{Endpoints, Queue, Seen},
    tcp_info::TcpInfo,
};
use tracer_inspect::clock;

/// Room for the `struct tcp_info` of any kernel version.
const INFO_BYTES: usize = 512;

/// `SK_MEMINFO_RMEM_ALLOC`: index of the receive queue's memory in `SO_MEMINFO`.
const RECEIVE_MEMORY: usize = 0;
const MEMORY_NUMBERS: usize = 9;

/// `TCP_CLOSE` of `include/net/tcp_states.h`.
const CLOSE: u8 = 7;
/// A number that no kernel timer has.
const UNKNOWN_TIMER: u8 = u8::MAX;

/// Queries a TCP socket. `netns` is the network namespace of its process. `None` if the file
/// descriptor has been closed or refers to another file now.
///
/// # Errors
/// `CAP_SYS_PTRACE` is missing, or the kernel is older than Linux 5.6.
pub(super) fn query(pid: u32, fd: u32, inode: u64, netns: u32) -> io::Result<Option<Seen>> {
    let Some(copy) = copy(pid, fd)? else { return Ok(None) };
    let stream = TcpStream::from(copy);
    let file = std::fs::File::from(stream.as_fd().try_clone_to_owned()?);
    if file.metadata()?.ino() != inode {
        return Ok(None);
    }
    let socket = stream.as_fd();
    let info = TcpInfo::read(&bytes_of::<INFO_BYTES>(socket, libc::IPPROTO_TCP, libc::TCP_INFO)?);
    let info = info.ok_or_else(|| io::Error::other("the kernel is older than Linux 5.4"))?;
    let cookie = bytes_of::<8>(socket, libc::SOL_SOCKET, libc::SO_COOKIE)?;
    let memory = bytes_of::<{ 4 * MEMORY_NUMBERS }>(socket, libc::SOL_SOCKET, libc::SO_MEMINFO)?;
    let (memory, _) = memory.as_chunks::<4>();
    // A listener has no queues and returns an error.
    let queued = |queue| queued_bytes(socket, queue).unwrap_or(0);
    let at = clock::now();
    Ok(Some(Seen {
        cookie: u64::from_ne_bytes(cookie.try_into().unwrap_or_default()),
        inode,
        netns,
        at,
        endpoints: Endpoints { local: stream.local_addr()?, remote: peer(socket) },
        state: info.state,
        queue: Queue::WithoutEnd {
            bytes: queued(ByteQueue::Unread),
            holds_any: memory.get(RECEIVE_MEMORY).is_some_and(|number| *number != [0; 4]),
        },
        unsent_bytes: queued(ByteQueue::Unsent),
        // `tcp_info` does not contain the timer, and a closed socket has none.
        timer: if info.state == CLOSE { 0 } else { UNKNOWN_TIMER },
        pending_error: Some(has_error(socket)?),
        info,
    }))
}

/// Checks whether file descriptors can be duplicated on this host, with one of this process.
///
/// # Errors
/// The kernel is older than Linux 5.6, or forbids it.
pub(super) fn check() -> io::Result<()> {
    let file = std::fs::File::open("/proc/self/stat")?;
    let fd = u32::try_from(file.as_raw_fd()).map_err(io::Error::other)?;
    copy(std::process::id(), fd).map(drop)
}

fn copy(pid: u32, fd: u32) -> io::Result<Option<OwnedFd>> {
    let numbers = i32::try_from(pid).ok().and_then(Pid::from_raw).zip(i32::try_from(fd).ok());
    let Some((pid, fd)) = numbers else { return Ok(None) };
    let copied = pidfd_open(pid, PidfdFlags::empty())
        .and_then(|process| pidfd_getfd(process, fd, PidfdGetfdFlags::empty()));
    match copied.map_err(io::Error::from) {
        Ok(copy) => Ok(Some(copy)),
        Err(error) if matches!(error.raw_os_error(), Some(libc::ESRCH | libc::EBADF)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The remote address, if the socket ever had one. Unlike `getpeername`, `SO_PEERNAME` also works
/// for a closed socket.
fn peer(socket: BorrowedFd<'_>) -> Option<SocketAddr> {
    // The length must be that of the family's address, so the IPv6 one is tried first.
    if let Ok(bytes) = bytes_of::<28>(socket, libc::SOL_SOCKET, libc::SO_PEERNAME) {
        let address: [u8; 16] = bytes.get(8..24)?.try_into().ok()?;
        return Some(SocketAddr::new(IpAddr::V6(Ipv6Addr::from(address)), port(&bytes)?));
    }
    let bytes = bytes_of::<16>(socket, libc::SOL_SOCKET, libc::SO_PEERNAME).ok()?;
    let address: [u8; 4] = bytes.get(4..8)?.try_into().ok()?;
    Some(SocketAddr::new(IpAddr::V4(Ipv4Addr::from(address)), port(&bytes)?))
}

/// The port of a `struct sockaddr_in` or `sockaddr_in6`.
fn port(address: &[u8]) -> Option<u16> {
    Some(u16::from_be_bytes(address.get(2..4)?.try_into().ok()?))
}

/// Whether the socket has a pending error. Reading it (`SO_ERROR`) would clear it.
fn has_error(socket: BorrowedFd<'_>) -> io::Result<bool> {
    let mut polled = [PollFd::from_borrowed_fd(socket, PollFlags::empty())];
    poll(&mut polled, Some(&Timespec::default()))?;
    Ok(polled[0].revents().contains(PollFlags::ERR))
}

/// A queue of a socket. The names of the requests are those for terminals.
#[derive(Clone, Copy)]
enum ByteQueue {
    /// `SIOCINQ`: data received and not read.
    Unread,
    /// `SIOCOUTQ`: data written and not acknowledged.
    Unsent,
}

/// The bytes in a queue.
fn queued_bytes(socket: BorrowedFd<'_>, queue: ByteQueue) -> io::Result<u32> {
    let request = match queue {
        ByteQueue::Unread => libc::FIONREAD,
        ByteQueue::Unsent => libc::TIOCOUTQ,
    };
    let mut count: libc::c_int = 0;
    // SAFETY: both requests write one `int` through the pointer, which is to a local.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), request, &raw mut count) };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(u32::try_from(count).unwrap_or(0))
}

/// A socket option of at most `ROOM` bytes. Reading the options used here has no side effects.
fn bytes_of<const ROOM: usize>(
    socket: BorrowedFd<'_>,
    level: libc::c_int,
    name: libc::c_int,
) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0_u8; ROOM];
    let mut length = libc::socklen_t::try_from(ROOM).map_err(io::Error::other)?;
    // SAFETY: the kernel writes at most `length` bytes to the buffer, which has that length, and
    // then their number to `length`. An option that reads addresses from the buffer finds zeros.
    let result = unsafe {
        let (target, length) = (bytes.as_mut_ptr().cast(), &raw mut length);
        libc::getsockopt(socket.as_raw_fd(), level, name, target, length)
    };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    bytes.truncate(usize::try_from(length).unwrap_or(0));
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use socket2::SockRef;
    use tracer_core::{SocketFacts, TcpState};

    use super::*;

    fn own(socket: &impl std::os::fd::AsRawFd) -> (u32, u32) {
        (std::process::id(), u32::try_from(socket.as_raw_fd()).unwrap())
    }

    fn facts(socket: &TcpStream) -> SocketFacts {
        let (pid, fd) = own(socket);
        let file = std::fs::File::from(socket.as_fd().try_clone_to_owned().unwrap());
        let inode = file.metadata().unwrap().ino();
        let seen = query(pid, fd, inode, 1).unwrap().expect("it is there");
        assert!(query(pid, fd, inode + 1, 1).unwrap().is_none(), "another file");
        seen.facts(tracer_core::Owners::new(), None).unwrap()
    }

    fn connected() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (client, listener.accept().unwrap().0)
    }

    #[test]
    fn a_closed_socket_is_queried_and_keeps_its_error() {
        let (client, server) = connected();
        let (local, remote) = (client.local_addr().unwrap(), client.peer_addr().unwrap());
        SockRef::from(&server).set_linger(Some(std::time::Duration::ZERO)).unwrap();
        drop(server);

        for _ in 0..2 {
            let facts = facts(&client);
            assert_eq!(facts.state, TcpState::Closed);
            assert_eq!((facts.local, facts.remote), (local, remote));
            assert_eq!((facts.pending_error, facts.drained), (Some(true), true));
            assert!(facts.last_received_at.is_some());
            assert_eq!((facts.fin_received, facts.last_segment_at), (None, None));
        }
        assert!(client.take_error().unwrap().is_some(), "the query has not cleared it");
        assert_eq!(facts(&client).pending_error, Some(false));
    }

    #[test]
    fn an_unread_fin_is_distinguished_from_none() {
        let (client, server) = connected();
        assert!(facts(&server).drained);
        client.shutdown(std::net::Shutdown::Write).unwrap();
        let ended = facts(&server);
        assert_eq!((ended.state, ended.fin_received), (TcpState::CloseWait, Some(true)));
        assert_eq!((ended.unread_bytes, ended.drained), (0, false));
        assert_eq!(io::Read::read(&mut &server, &mut [0]).unwrap(), 0);
        assert!(facts(&server).drained);
    }

    #[test]
    fn a_socket_that_was_never_connected_has_no_peer() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None);
        let socket = socket.unwrap();
        assert!(socket.connect(&address.into()).is_err());
        let facts = facts(&socket.into());
        assert_eq!((facts.state, facts.last_received_at), (TcpState::Closed, None));
    }
}
