/// The value of the map `IDENTITIES`: the identity of a socket on kernels whose programs cannot
/// call `bpf_get_socket_cookie`. The key is the address of the `struct sock`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Identity {
    /// A hash of the socket's address and of the time at which it was first seen, with the highest
    /// bit set, so that it never equals a cookie. Two sockets with the same number are possible but
    /// improbable.
    pub number: u64,
    /// Inode number of the socket's file; 0 until a snapshot has seen it.
    pub inode: u64,
}

const _: () = assert!(size_of::<Identity>() == 16);
