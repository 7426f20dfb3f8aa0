//! Reading of a `struct sock`.

use core::marker::PhantomData;

use aya_ebpf::helpers::{bpf_get_socket_cookie, bpf_skc_to_tcp_sock};
use tracer_common::{
    EventRecord, FAMILY_INET, FAMILY_INET6, PROTOCOL_TCP, SocketRecord, TYPE_STREAM,
};

use crate::{
    globals::offset,
    read::{AnyBits, Direct, Probed, Read},
};

/// `TCP_CLOSE` of `include/net/tcp_states.h`.
pub(crate) const STATE_CLOSE: u8 = 7;
/// `TCP_ESTABLISHED`.
pub(crate) const STATE_ESTABLISHED: u8 = 1;
/// `TCP_LISTEN`.
pub(crate) const STATE_LISTEN: u8 = 10;
/// `TCP_SYN_SENT`: `connect` was called.
pub(crate) const STATE_SYN_SENT: u8 = 2;
/// `TCP_CLOSE_WAIT`: the peer's FIN was received.
pub(crate) const STATE_CLOSE_WAIT: u8 = 8;

/// A way to read a socket.
pub(crate) trait ReadSock: Read + Sized {
    /// A pointer through which a `struct tcp_sock` can be read, if the socket is a full TCP socket;
    /// otherwise null. `None` if a read failed.
    fn as_tcp(sock: &Sock<Self>) -> Option<*const u8>;

    /// The socket's cookie, which the kernel assigns if there is none (`bpf_get_socket_cookie`).
    fn kernel_cookie(sock: &Sock<Self>) -> u64;
}

impl ReadSock for Direct {
    #[inline(always)]
    fn as_tcp(sock: &Sock<Self>) -> Option<*const u8> {
        // SAFETY: the verifier checks that the argument is a socket; the helper checks its
        // protocol.
        let tcp = unsafe { bpf_skc_to_tcp_sock(sock.pointer.cast_mut().cast()) };
        // Before Linux 5.18 the helper does not check the socket type.
        let is_tcp = !tcp.is_null() && sock.socket_type()? == TYPE_STREAM;
        Some(if is_tcp { tcp.cast_const().cast() } else { core::ptr::null() })
    }

    #[inline(always)]
    fn kernel_cookie(sock: &Sock<Self>) -> u64 {
        // SAFETY: the verifier checks that the argument is a socket.
        unsafe { bpf_get_socket_cookie(sock.pointer.cast_mut().cast()) }
    }
}

impl ReadSock for Probed {
    #[inline(always)]
    fn as_tcp(sock: &Sock<Self>) -> Option<*const u8> {
        Some(if sock.is_tcp()? { sock.pointer } else { core::ptr::null() })
    }

    /// Never runs: no kernel offers the helper to programs that read by `Probed`, so the verifier
    /// refuses a program in which this is reachable. User space then loads the programs with
    /// `Settings::without_socket_helpers`, which makes it unreachable.
    #[inline(always)]
    fn kernel_cookie(sock: &Sock<Self>) -> u64 {
        // SAFETY: the verifier refuses every program that could run this.
        unsafe { bpf_get_socket_cookie(sock.pointer.cast_mut().cast()) }
    }
}

/// A `struct sock` of any kind, or the `struct tcp_sock` that begins with one, read by `R`.
pub(crate) struct Sock<R> {
    pointer: *const u8,
    read: PhantomData<R>,
}

impl<R: Read> Sock<R> {
    /// # Safety
    /// `pointer` must be one that `R` can read. Fields behind `struct sock` may be read only if it
    /// points to a `struct tcp_sock`.
    #[inline(always)]
    pub(crate) unsafe fn new(pointer: *const u8) -> Self {
        Self { pointer, read: PhantomData }
    }

    #[inline(always)]
    fn field<T: AnyBits>(&self, offset: usize) -> Option<T> {
        // SAFETY: `new` requires a pointer that `R` can read.
        unsafe { R::read(self.pointer, offset) }
    }

    /// The address of the `struct sock`, as an integer. The verifier does not let a typed pointer
    /// be used as one, so the pointer is read back from the program's stack.
    #[inline(always)]
    pub(crate) fn address(&self) -> Option<u64> {
        let pointer = self.pointer;
        // SAFETY: `Probed` accepts any address.
        unsafe { Probed::read((&raw const pointer).cast(), 0) }
    }

    /// Whether it is a TCP socket, by fields that every full socket has.
    #[inline(always)]
    pub(crate) fn is_tcp(&self) -> Option<bool> {
        Some(self.is_inet_stream()? && self.protocol()? == PROTOCOL_TCP)
    }

    /// Whether it is a stream socket of IPv4 or IPv6.
    #[inline(always)]
    pub(crate) fn is_inet_stream(&self) -> Option<bool> {
        let is_inet = matches!(self.family()?, FAMILY_INET | FAMILY_INET6);
        Some(is_inet && self.socket_type()? == TYPE_STREAM)
    }

    /// `skc_family`.
    #[inline(always)]
    pub(crate) fn family(&self) -> Option<u16> {
        self.field(offset!(sock_family))
    }

    /// `sk_type`.
    #[inline(always)]
    pub(crate) fn socket_type(&self) -> Option<u16> {
        self.field(offset!(sock_type))
    }

    /// `sk_protocol`.
    #[inline(always)]
    pub(crate) fn protocol(&self) -> Option<u16> {
        self.field(offset!(sock_protocol))
    }

    /// `skc_state`.
    #[inline(always)]
    pub(crate) fn state(&self) -> Option<u8> {
        self.field(offset!(sock_state))
    }

    /// `skc_cookie`: 0 if the kernel has not assigned a cookie yet.
    #[inline(always)]
    pub(crate) fn cookie_if_any(&self) -> Option<u64> {
        self.field(offset!(sock_cookie))
    }

    /// `skc_dport` in host byte order: 0 if the socket never had a peer.
    #[inline(always)]
    pub(crate) fn remote_port(&self) -> Option<u16> {
        self.field(offset!(sock_remote_port)).map(u16::from_be)
    }

    /// `skc_num` (host byte order): 0 once the socket is closed.
    #[inline(always)]
    pub(crate) fn local_port(&self) -> Option<u16> {
        self.field(offset!(sock_local_port))
    }

    /// `skc_net->ns.inum`.
    #[inline(always)]
    pub(crate) fn netns(&self) -> Option<u32> {
        let net: *const u8 = self.field(offset!(sock_net))?;
        // SAFETY: a pointer field of a structure that `R` can read.
        unsafe { R::read(net, offset!(net_inode)) }
    }

    /// `inet_sport` in host byte order, which a closed socket keeps, unlike `skc_num`. For TCP
    /// sockets only.
    #[inline(always)]
    fn tcp_local_port(&self) -> Option<u16> {
        self.field(offset!(inet_local_port)).map(u16::from_be)
    }

    /// Local and remote address in network byte order; the bytes that IPv4 does not use are 0.
    #[inline(always)]
    fn addresses(&self, family: u16) -> Option<([u8; 16], [u8; 16])> {
        let (local, remote): ([u32; 4], [u32; 4]) = if family == FAMILY_INET6 {
            (self.field(offset!(sock_local_ipv6))?, self.field(offset!(sock_remote_ipv6))?)
        } else {
            (
                [self.field(offset!(sock_local_ipv4))?, 0, 0, 0],
                [self.field(offset!(sock_remote_ipv4))?, 0, 0, 0],
            )
        };
        Some((bytes(local), bytes(remote)))
    }

    /// Sets family, network namespace, and both addresses and ports of a TCP socket.
    #[inline(always)]
    pub(crate) fn fill_endpoints(&self, record: &mut EventRecord) -> Option<()> {
        record.family = self.family()?;
        record.netns = self.netns()?;
        record.local_port = self.tcp_local_port()?;
        record.remote_port = self.remote_port()?;
        (record.local_address, record.remote_address) = self.addresses(record.family)?;
        Some(())
    }
}

impl<R: ReadSock> Sock<R> {
    /// The socket as a `struct tcp_sock`. `None` if a read failed or it is not a full TCP socket:
    /// an MPTCP or SCTP socket or, with [`Direct`], a `request_sock` or `timewait_sock`. With
    /// [`Probed`] the caller guarantees that it is a full socket, as the hooked functions do.
    #[inline(always)]
    pub(crate) fn as_tcp(&self) -> Option<Self> {
        let tcp = R::as_tcp(self)?;
        // SAFETY: `R::as_tcp` returns a pointer that `R` can read, to a `struct tcp_sock`.
        (!tcp.is_null()).then(|| unsafe { Self::new(tcp) })
    }
}

impl<R: Read> Sock<R> {
    /// `sk_socket`: null before the application has accepted the connection, and after it has
    /// closed it.
    #[inline(always)]
    fn socket(&self) -> Option<*const u8> {
        self.field(offset!(sock_socket))
    }

    /// Whether a file refers to the socket, so that an application can reach it.
    #[inline(always)]
    pub(crate) fn has_file(&self) -> Option<bool> {
        let socket = self.socket()?;
        if socket.is_null() {
            return Some(false);
        }
        // SAFETY: a pointer field of a structure that `R` can read.
        let file: *const u8 = unsafe { R::read(socket, offset!(socket_file)) }?;
        Some(!file.is_null())
    }

    /// Whether the kernel opened the socket for its own use, for example for NFS or as a subflow of
    /// an MPTCP connection.
    #[inline(always)]
    pub(crate) fn is_internal(&self) -> Option<bool> {
        Some(!self.socket()?.is_null() && !self.has_file()?)
    }

    /// Sets the fields that come from any `struct sock`, except identity and local port. The
    /// record's family must be set.
    #[inline(always)]
    pub(crate) fn fill_common(&self, record: &mut SocketRecord) -> Option<()> {
        record.netns = self.netns()?;
        record.state = self.state()?;
        record.remote_port = self.remote_port()?;
        record.error = self.field(offset!(sock_error))?;
        (record.local_address, record.remote_address) = self.addresses(record.family)?;
        Some(())
    }

    /// Sets the fields that come from a `struct tcp_sock`.
    ///
    /// The socket is not locked, so of two sequence numbers the lower one is read first: data that
    /// moves in between increases the difference and never makes it negative.
    #[inline(always)]
    pub(crate) fn fill_tcp(&self, record: &mut SocketRecord) -> Option<()> {
        record.local_port = self.tcp_local_port()?;
        record.copied_seq = self.field(offset!(tcp_copied_seq))?;
        let last_read_seq: u32 = self.field(offset!(tcp_last_read_seq))?;
        if last_read_seq == record.copied_seq {
            record.last_read_us = self.field(offset!(tcp_last_read))?;
        }
        record.rcv_nxt = self.field(offset!(tcp_rcv_nxt))?;
        record.snd_una = self.field(offset!(tcp_snd_una))?;
        record.write_seq = self.field(offset!(tcp_write_seq))?;
        record.bytes_received = self.field(offset!(tcp_bytes_received))?;
        record.bytes_acked = self.field(offset!(tcp_bytes_acked))?;
        record.bytes_sent = self.field(offset!(tcp_bytes_sent))?;
        record.bytes_retransmitted = self.field(offset!(tcp_bytes_retransmitted))?;
        record.last_segment_us = self.field(offset!(tcp_last_segment))?;
        record.last_sent_jiffies = self.field(offset!(tcp_last_sent))?;
        record.last_received_jiffies = self.field(offset!(connection_last_received))?;
        record.last_ack_jiffies = self.field(offset!(tcp_last_ack))?;
        record.data_segments_sent = self.field(offset!(tcp_data_segments_sent))?;
        record.data_segments_received = self.field(offset!(tcp_data_segments_received))?;
        record.peer_window = self.field(offset!(tcp_peer_window))?;
        record.timer = self.field(offset!(connection_timer))?;
        record.retransmits = self.field(offset!(connection_retransmits))?;
        record.backoff = self.field(offset!(connection_backoff))?;
        record.probes_out = self.field(offset!(connection_probes_out))?;
        record.flags = self.field(offset!(sock_flags))?;
        Some(())
    }
}

/// The bytes of four words in memory order.
#[inline(always)]
fn bytes(words: [u32; 4]) -> [u8; 16] {
    // SAFETY: both types are 16 bytes without padding, of which any are valid.
    unsafe { core::mem::transmute(words) }
}
