//! What a socket goes by: the kernel's cookie for it, or, where programs cannot have that, a number
//! of ours.
//!
//! A number of ours is kept by the address of the `struct sock`, which the kernel gives to another
//! socket later: so it is forgotten when the socket is destroyed. In case that was not seen, a walk
//! compares the inode as well.

use aya_ebpf::{bindings::BPF_NOEXIST, helpers::bpf_ktime_get_ns};
use tracer_common::{Counter, Identity};

use crate::{
    emit::count,
    globals::has_socket_helpers,
    maps::IDENTITIES,
    read::Read,
    sock::{ReadSock, Sock},
};

/// No cookie is as large.
const OURS: u64 = 1 << 63;

/// The socket's identity; it gets one if it has none. 0 if there was no room for it.
#[inline(always)]
pub(crate) fn of<R: ReadSock>(sock: &Sock<R>) -> u64 {
    of_file(sock, 0)
}

/// The same for one whose file is known, by the inode of that.
#[inline(always)]
pub(crate) fn of_file<R: ReadSock>(sock: &Sock<R>, inode: u64) -> u64 {
    if has_socket_helpers() { R::kernel_cookie(sock) } else { ours(sock, inode) }
}

/// The same for programs that have no way to give a socket its cookie: 0 if it has none.
#[inline(always)]
pub(crate) fn of_known<R: Read>(sock: &Sock<R>) -> Option<u64> {
    if has_socket_helpers() { sock.cookie_if_any() } else { Some(ours(sock, 0)) }
}

/// The identity that the socket has already; 0 if it has none.
#[inline(always)]
pub(crate) fn if_any<R: Read>(sock: &Sock<R>) -> Option<u64> {
    if has_socket_helpers() { sock.cookie_if_any() } else { Some(number_at(sock.address()?)) }
}

/// The identity of a socket that is about to be gone; 0 if it has none.
#[inline(always)]
pub(crate) fn take<R: Read>(sock: &Sock<R>) -> Option<u64> {
    let identity = if_any(sock)?;
    if !has_socket_helpers() && identity != 0 {
        let _ = IDENTITIES.remove(sock.address()?);
    }
    Some(identity)
}

/// The number that is kept for an address; 0 if there is none.
#[inline(always)]
fn number_at(address: u64) -> u64 {
    // SAFETY: an entry is not written to while it is there, and one that takes its place has a
    // number too.
    unsafe { IDENTITIES.get(address) }.map_or(0, |identity| identity.number)
}

#[inline(always)]
fn ours<R: Read>(sock: &Sock<R>, inode: u64) -> u64 {
    let Some(address) = sock.address() else { return 0 };
    // SAFETY: as above.
    if let Some(known) = unsafe { IDENTITIES.get(address) } {
        let (number, its_inode) = (known.number, known.inode);
        if inode == 0 || its_inode == inode {
            return number;
        }
        // Either its file is seen for the first time, or this is another socket.
        let number = if its_inode == 0 { number } else { new_number(address) };
        let _ = IDENTITIES.insert(address, Identity { number, inode }, 0);
        return number;
    }
    let identity = Identity { number: new_number(address), inode };
    if IDENTITIES.insert(address, identity, u64::from(BPF_NOEXIST)).is_ok() {
        return identity.number;
    }
    // Another processor was first, or there is no room.
    let number = number_at(address);
    if number == 0 {
        count(Counter::MapFull);
    }
    number
}

/// A number that no other socket has had: of two with one address, one was born later.
#[inline(always)]
fn new_number(address: u64) -> u64 {
    // SAFETY: the helper has no preconditions.
    let now = unsafe { bpf_ktime_get_ns() };
    OURS | ((now ^ address.rotate_left(32)).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 1)
}
