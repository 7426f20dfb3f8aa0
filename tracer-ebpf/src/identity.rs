//! The identity of a socket: the kernel's cookie or, on kernels whose programs cannot read it, a
//! number that these programs assign.
//!
//! An assigned number is kept in the map `IDENTITIES` under the address of the `struct sock`. The
//! kernel reuses the address for another socket later, so the entry is removed when the socket is
//! destroyed. If that event was missed, a snapshot detects it by comparing the inode.

use aya_ebpf::{bindings::BPF_NOEXIST, helpers::bpf_ktime_get_ns};
use tracer_common::{Counter, Identity};

use crate::{
    emit::count,
    globals::has_socket_helpers,
    maps::IDENTITIES,
    read::Read,
    sock::{ReadSock, Sock},
};

/// The bit that marks an assigned number. Cookies are far smaller.
const ASSIGNED: u64 = 1 << 63;

/// The socket's identity, assigned if it has none. 0 if the map is full.
#[inline(always)]
pub(crate) fn get_or_assign<R: ReadSock>(sock: &Sock<R>) -> u64 {
    get_or_assign_with_inode(sock, 0)
}

/// The identity of a socket, assigned if it has none, as [`get_or_assign`] returns it, for a socket
/// whose file's inode number is known; 0 means unknown.
#[inline(always)]
pub(crate) fn get_or_assign_with_inode<R: ReadSock>(sock: &Sock<R>, inode: u64) -> u64 {
    if has_socket_helpers() { R::kernel_cookie(sock) } else { number_of(sock, inode) }
}

/// The identity of a socket, for programs that cannot call `bpf_get_socket_cookie` on it: its
/// cookie if the kernel has assigned one, otherwise 0. If sockets are identified by assigned
/// numbers, a number is still assigned. `None` if a read failed.
#[inline(always)]
pub(crate) fn without_cookie_helper<R: Read>(sock: &Sock<R>) -> Option<u64> {
    if has_socket_helpers() { sock.cookie_if_any() } else { Some(number_of(sock, 0)) }
}

/// The identity that the socket already has, 0 if it has none; `None` if a read failed.
#[inline(always)]
pub(crate) fn existing<R: Read>(sock: &Sock<R>) -> Option<u64> {
    if has_socket_helpers() {
        return sock.cookie_if_any();
    }
    Some(entry(sock.address()?).map_or(0, |identity| identity.number))
}

/// The identity of a socket that is being destroyed, 0 if it has none; `None` if a read failed.
#[inline(always)]
pub(crate) fn remove<R: Read>(sock: &Sock<R>) -> Option<u64> {
    let identity = existing(sock)?;
    if !has_socket_helpers() && identity != 0 {
        let _ = IDENTITIES.remove(sock.address()?);
    }
    Some(identity)
}

/// A copy of the entry for an address.
///
/// Another CPU may replace or remove the entry during the copy, and the kernel may then reuse its
/// memory for a later entry (`alloc_htab_elem` in `kernel/bpf/hashtab.c`). So the two words may
/// come from different writes, in the worst case from the entry of another socket. That is
/// improbable, since it requires a write by another CPU between two instructions, and it affects
/// only one record: the next one reads the map again.
#[inline(always)]
fn entry(address: u64) -> Option<Identity> {
    let entry = IDENTITIES.get_ptr(address)?;
    // SAFETY: the pointer is to a value of a preallocated map, which stays mapped while the program
    // runs. It may be written to at the same time, so no reference is made and each word is read
    // once; any value of a word is valid.
    Some(unsafe {
        Identity {
            number: (&raw const (*entry).number).read_volatile(),
            inode: (&raw const (*entry).inode).read_volatile(),
        }
    })
}

/// The number of a socket, assigned if it has none; 0 if the map is full or a read failed.
#[inline(always)]
fn number_of<R: Read>(sock: &Sock<R>, inode: u64) -> u64 {
    let Some(address) = sock.address() else { return 0 };
    if let Some(known) = entry(address) {
        if inode == 0 || known.inode == inode {
            return known.number;
        }
        // Either the inode is seen for the first time, or the address was reused for another
        // socket.
        let number = if known.inode == 0 { known.number } else { new_number(address) };
        let _ = IDENTITIES.insert(address, Identity { number, inode }, 0);
        return number;
    }
    let identity = Identity { number: new_number(address), inode };
    if IDENTITIES.insert(address, identity, u64::from(BPF_NOEXIST)).is_ok() {
        return identity.number;
    }
    // Another CPU has assigned one in the meantime, or the map is full.
    let number = entry(address).map_or(0, |identity| identity.number);
    if number == 0 {
        count(Counter::MapFull);
    }
    number
}

/// A new number. The time distinguishes successive sockets at the same address; the address
/// distinguishes sockets that are first seen at the same time.
#[inline(always)]
fn new_number(address: u64) -> u64 {
    // SAFETY: the helper has no preconditions.
    let now = unsafe { bpf_ktime_get_ns() };
    ASSIGNED | ((now ^ address.rotate_left(32)).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 1)
}
