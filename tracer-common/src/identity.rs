/// The value of the map `IDENTITIES`: what a socket goes by that has no cookie to go by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Identity {
    /// The number, of which the highest bit is set; no two sockets have the same.
    pub number: u64,
    /// Inode number of the socket's file; 0 while that has not been seen.
    pub inode: u64,
}

const _: () = assert!(size_of::<Identity>() == 16);
