//! Inode and protocol of a socket, from `/proc/PID/fd/FD`.

use std::{fs, path::Path};

use rustix::fs::getxattr;
use tracer_core::Asked;

/// The protocol of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// A protocol that resembles TCP to the BPF programs but is not judged; its name.
    NotJudged(&'static str),
    /// Anything else.
    Other,
}

/// The inode of a socket, from the target of the link of its fd: `socket:[4711]`. `None` if the
/// target is not a socket.
pub fn inode(target: &Path) -> Option<u64> {
    target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
}

/// The protocol of a file descriptor, from its `system.sockprotoname` attribute (`sockfs_xattr_get`
/// in `net/socket.c`); `None` if it cannot be read.
pub fn protocol(pid: u32, fd: u32) -> Option<Protocol> {
    let mut name = [0; 32];
    let path = format!("/proc/{pid}/fd/{fd}");
    let length = getxattr(path, "system.sockprotoname", &mut name[..]).ok()?;
    let name = name.get(..length)?;
    let end = name.iter().position(|&byte| byte == 0).unwrap_or(length);
    Some(match &name[..end] {
        b"TCP" | b"TCPv6" => Protocol::Tcp,
        b"MPTCP" | b"MPTCPv6" => Protocol::NotJudged("mptcp"),
        b"SMC" | b"SMC6" => Protocol::NotJudged("smc"),
        b"SCTP" | b"SCTPv6" => Protocol::NotJudged("sctp"),
        _ => Protocol::Other,
    })
}

/// Whether the file descriptor still refers to the socket that the question is about.
pub fn is_same(pid: u32, asked: &Asked) -> bool {
    is_socket(format!("/proc/{pid}/fd/{}", asked.fd), asked.inode)
}

/// Whether a link in `/proc/PID/fd` refers to the socket with this inode.
pub(super) fn is_socket(link: impl AsRef<Path>, inode: u64) -> bool {
    fs::read_link(link).is_ok_and(|target| self::inode(&target) == Some(inode))
}

/// The inode of a TCP socket of a process; `None` if the file descriptor is something else.
pub fn tcp_inode(pid: u32, fd: u32) -> Option<u64> {
    let target = fs::read_link(format!("/proc/{pid}/fd/{fd}")).ok()?;
    let inode = inode(&target)?;
    (protocol(pid, fd)? == Protocol::Tcp).then_some(inode)
}

#[cfg(test)]
mod tests {
    use std::{
        net::{TcpListener, TcpStream, UdpSocket},
        os::{fd::AsRawFd, unix::net::UnixStream},
    };

    use super::*;

    fn fd(socket: &impl AsRawFd) -> u32 {
        socket.as_raw_fd().cast_unsigned()
    }

    fn protocol_of(socket: &impl AsRawFd) -> Option<Protocol> {
        protocol(std::process::id(), fd(socket))
    }

    #[test]
    fn the_protocol_is_read_without_duplicating_the_fd() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        assert_eq!(protocol_of(&client), Some(Protocol::Tcp));
        assert_eq!(protocol_of(&UdpSocket::bind("127.0.0.1:0").unwrap()), Some(Protocol::Other));
        assert_eq!(protocol_of(&UnixStream::pair().unwrap().0), Some(Protocol::Other));
        assert_eq!(protocol(std::process::id(), 1_000_000), None);
    }

    #[test]
    fn only_the_link_of_a_socket_has_an_inode() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let link = format!("/proc/self/fd/{}", fd(&listener));
        assert!(inode(&fs::read_link(link).unwrap()).is_some());
        for other in ["socket:[]", "socket:[4711", "pipe:[4711]", "/tmp/socket:[4711]", ""] {
            assert_eq!(inode(Path::new(other)), None, "{other}");
        }
    }
}
