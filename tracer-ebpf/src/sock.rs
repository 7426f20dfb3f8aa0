//! Reads of a `struct sock`.

use core::marker::PhantomData;

use aya_ebpf::helpers::{bpf_get_socket_cookie, bpf_skc_to_tcp_sock};
use tracer_common::{EventRecord, FAMILY_INET, FAMILY_INET6, SocketRecord};

use crate::{
    globals::offset,
    read::{Direct, Probed, Read},
};

/// `IPPROTO_TCP`, as in `sk_protocol`.
pub(crate) const PROTOCOL_TCP: u16 = 6;
/// `SOCK_STREAM`, as in `sk_type`.
pub(crate) const TYPE_STREAM: u16 = 1;

/// Closed (`TCP_CLOSE` in `include/net/tcp_states.h`).
pub(crate) const STATE_CLOSE: u8 = 7;
/// Open on both sides.
pub(crate) const STATE_ESTABLISHED: u8 = 1;
/// It waits for connections.
pub(crate) const STATE_LISTEN: u8 = 10;
/// `connect` was called.
pub(crate) const STATE_SYN_SENT: u8 = 2;
/// The peer closed.
pub(crate) const STATE_CLOSE_WAIT: u8 = 8;

/// What the ways to read a socket can do besides.
pub(crate) trait ReadSock: Read + Sized {
    /// The socket as a pointer behind which a `struct tcp_sock` can be read, if it is a full TCP
    /// socket; else null, or `None` if a read failed.
    fn as_tcp(sock: &Sock<Self>) -> Option<*const u8>;

    /// The kernel's cookie of the socket, which it gets if it has none.
    fn kernel_cookie(sock: &Sock<Self>) -> u64;
}

impl ReadSock for Direct {
    #[inline(always)]
    fn as_tcp(sock: &Sock<Self>) -> Option<*const u8> {
        // SAFETY: the helper takes a socket and checks its protocol.
        let tcp = unsafe { bpf_skc_to_tcp_sock(sock.pointer.cast_mut().cast()) };
        // Kernels before 5.18 do not look at the type.
        let is_tcp = !tcp.is_null() && sock.kind()? == TYPE_STREAM;
        Some(if is_tcp { tcp.cast_const().cast() } else { core::ptr::null() })
    }

    #[inline(always)]
    fn kernel_cookie(sock: &Sock<Self>) -> u64 {
        // SAFETY: the helper takes a socket.
        unsafe { bpf_get_socket_cookie(sock.pointer.cast_mut().cast()) }
    }
}

impl ReadSock for Probed {
    #[inline(always)]
    fn as_tcp(sock: &Sock<Self>) -> Option<*const u8> {
        Some(if sock.is_tcp()? { sock.pointer } else { core::ptr::null() })
    }

    /// No kernel has the helper for programs that read so, and each refuses one that gets here: that
    /// is how the user side learns that it must do without (`Settings::without_socket_helpers`).
    #[inline(always)]
    fn kernel_cookie(sock: &Sock<Self>) -> u64 {
        // SAFETY: it is never run.
        unsafe { bpf_get_socket_cookie(sock.pointer.cast_mut().cast()) }
    }
}

/// A `struct sock` of any kind, or the `struct tcp_sock` that begins with one, read by way of `R`.
pub(crate) struct Sock<R> {
    pointer: *const u8,
    read: PhantomData<R>,
}

impl<R: Read> Sock<R> {
    /// # Safety
    /// `pointer` must be what `R` can read. For fields past `struct sock` it must be known to point
    /// to a `struct tcp_sock`.
    #[inline(always)]
    pub(crate) unsafe fn new(pointer: *const u8) -> Self {
        Self { pointer, read: PhantomData }
    }

    #[inline(always)]
    fn field<T: Copy>(&self, offset: usize) -> Option<T> {
        // SAFETY: `new` requires that `R` can read the pointer; every `T` below is an integer, a
        // pointer or an array of integers.
        unsafe { R::read(self.pointer, offset) }
    }

    /// Where it is in the kernel's memory, as a number to calculate with: the verifier does not let
    /// a pointer be one, so it is read back from the stack.
    #[inline(always)]
    pub(crate) fn address(&self) -> Option<u64> {
        let pointer = self.pointer;
        // SAFETY: `Probed` reads anything.
        unsafe { Probed::read((&raw const pointer).cast(), 0) }
    }

    /// Whether it is a TCP socket, judged by what any socket has.
    #[inline(always)]
    pub(crate) fn is_tcp(&self) -> Option<bool> {
        Some(
            matches!(self.family()?, FAMILY_INET | FAMILY_INET6)
                && self.kind()? == TYPE_STREAM
                && self.protocol()? == PROTOCOL_TCP,
        )
    }

    /// `skc_family`.
    #[inline(always)]
    pub(crate) fn family(&self) -> Option<u16> {
        self.field(offset!(sock_family))
    }

    /// `sk_type`.
    #[inline(always)]
    pub(crate) fn kind(&self) -> Option<u16> {
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

    /// `skc_cookie`: 0 if nobody has asked for one yet.
    #[inline(always)]
    pub(crate) fn cookie_if_any(&self) -> Option<u64> {
        self.field(offset!(sock_cookie))
    }

    /// `skc_dport` in host byte order: 0 if the socket never had a peer.
    #[inline(always)]
    pub(crate) fn remote_port(&self) -> Option<u16> {
        self.field(offset!(sock_remote_port)).map(u16::from_be)
    }

    /// `skc_num`, in host byte order: 0 once the socket is closed.
    #[inline(always)]
    pub(crate) fn local_port(&self) -> Option<u16> {
        self.field(offset!(sock_local_port))
    }

    /// `skc_net->ns.inum`.
    #[inline(always)]
    pub(crate) fn netns(&self) -> Option<u32> {
        let net: *const u8 = self.field(offset!(sock_net))?;
        // SAFETY: a pointer field of what `R` can read.
        unsafe { R::read(net, offset!(net_inode)) }
    }

    /// `inet_sport` in host byte order: unlike `skc_num` it survives the close. Of TCP sockets only.
    #[inline(always)]
    fn tcp_local_port(&self) -> Option<u16> {
        self.field(offset!(inet_local_port)).map(u16::from_be)
    }

    /// Local and remote address in network byte order, the unused part zero.
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

    /// Fills in both ends of a TCP socket.
    #[inline(always)]
    pub(crate) fn fill_ends(&self, record: &mut EventRecord) -> Option<()> {
        record.family = self.family()?;
        record.netns = self.netns()?;
        record.local_port = self.tcp_local_port()?;
        record.remote_port = self.remote_port()?;
        (record.local_address, record.remote_address) = self.addresses(record.family)?;
        Some(())
    }
}

impl<R: ReadSock> Sock<R> {
    /// The socket as a `struct tcp_sock`, if it is a full TCP socket: no MPTCP or SCTP socket, no
    /// request and no TIME_WAIT remnant.
    #[inline(always)]
    pub(crate) fn as_tcp(&self) -> Option<Self> {
        let tcp = R::as_tcp(self)?;
        // SAFETY: `R` can read what it gives for a `struct tcp_sock`.
        (!tcp.is_null()).then(|| unsafe { Self::new(tcp) })
    }
}

impl<R: Read> Sock<R> {
    /// `sk_socket`: null once the application has closed it, and before it has accepted it.
    #[inline(always)]
    fn socket(&self) -> Option<*const u8> {
        self.field(offset!(sock_socket))
    }

    /// Whether an application can reach the socket through a file.
    #[inline(always)]
    pub(crate) fn has_file(&self) -> Option<bool> {
        let socket = self.socket()?;
        if socket.is_null() {
            return Some(false);
        }
        // SAFETY: a pointer field of a socket.
        let file: *const u8 = unsafe { R::read(socket, offset!(socket_file)) }?;
        Some(!file.is_null())
    }

    /// Whether the kernel opened the socket for itself: for NFS, or as one path of an MPTCP
    /// connection.
    #[inline(always)]
    pub(crate) fn is_internal(&self) -> Option<bool> {
        Some(!self.socket()?.is_null() && !self.has_file()?)
    }

    /// Fills in what any `struct sock` has, but its identity and the local port.
    #[inline(always)]
    pub(crate) fn fill_common(&self, record: &mut SocketRecord) -> Option<()> {
        record.netns = self.netns()?;
        record.state = self.state()?;
        record.remote_port = self.remote_port()?;
        record.error = self.field(offset!(sock_error))?;
        (record.local_address, record.remote_address) = self.addresses(record.family)?;
        Some(())
    }

    /// Fills in what a `struct tcp_sock` has.
    ///
    /// The socket is not locked, so each position is read before the one that it follows: data
    /// that arrives in between makes a difference larger, never negative.
    #[inline(always)]
    pub(crate) fn fill_tcp(&self, record: &mut SocketRecord) -> Option<()> {
        record.local_port = self.tcp_local_port()?;
        record.copied_seq = self.field(offset!(tcp_copied_seq))?;
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

/// Four words as they lie in memory.
#[inline(always)]
fn bytes(words: [u32; 4]) -> [u8; 16] {
    // SAFETY: both are 16 bytes without padding, and any bytes are valid.
    unsafe { core::mem::transmute(words) }
}
