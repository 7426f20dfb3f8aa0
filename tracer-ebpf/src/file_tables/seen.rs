//! Recognizes sockets that are unchanged since the previous pass, so that only a few of their cache
//! lines need to be loaded from memory.
//!
//! Every change of what a record contains is either made by the application, which moves one of the
//! two sequence numbers or changes the state, or is due to a segment or a timer, for which the
//! kernel updates `tcp_mstamp`. The pending error is compared too, because the kernel can set it in
//! between. A socket in CLOSE can be bound and connected, and is always read again.
//!
//! A record may be read in the middle of such a change, after `tcp_mstamp` and before the rest. So a
//! socket is read once more after it has changed: what the second pass reads is complete.

use tracer_common::{COMM_LENGTH, SEEN_MAX, SeenSocket, TableProgress};

use crate::{
    globals::{offset, seed},
    maps::SEEN,
    read::{Probed, Read},
    sock::{STATE_CLOSE, Sock},
};

/// Maximum number of entries that are skipped for one file descriptor. If more file descriptors were
/// closed in a row, the next sockets skip the others, and are read again.
const SKIPPED_MAX: u32 = 8;

/// Set in [`SeenSocket::contents`] if the hashed values had not changed since the pass before when
/// the record was read.
pub(super) const IS_COMPLETE: u64 = 1;

/// Adds a value to a hash.
#[inline(always)]
const fn mix(hash: u64, value: u64, seed: u64) -> u64 {
    let hash = (hash ^ value).wrapping_mul(seed | 1);
    hash ^ (hash >> 32)
}

/// The part of a record's contents that all records of a process share.
#[inline(always)]
pub(super) fn of_process(start_time_ns: u64, comm: [u8; COMM_LENGTH]) -> u64 {
    let seed = seed();
    // SAFETY: both types are 16 bytes without padding, of which any are valid.
    let [first, second]: [u64; 2] = unsafe { core::mem::transmute(comm) };
    mix(mix(mix(0, start_time_ns, seed), first, seed), second, seed)
}

/// The number, counted from 1, of the previous pass's record for this file descriptor and `struct
/// sock`; 0 if there is none. Must be called in the order of file descriptors.
///
/// # Safety
/// `progress` must point to the value of the map.
#[inline(always)]
pub(super) unsafe fn previous(progress: *mut TableProgress, place: u64, sock: u64) -> u64 {
    // SAFETY: the caller guarantees it; the other pointers are to values of maps.
    unsafe {
        let before = (&raw const (*progress).before).read_volatile();
        let half = (&raw const (*progress).half).read_volatile();
        let next = &raw mut (*progress).next;
        for _ in 0..SKIPPED_MAX {
            let number = next.read_volatile();
            if number >= before {
                return 0;
            }
            let Some(seen) = SEEN.get_ptr(index(half ^ 1, number)) else { return 0 };
            let seen_place = (&raw const (*seen).place).read_volatile();
            if seen_place > place {
                return 0;
            }
            next.write_volatile(number + 1);
            if seen_place == place {
                let is_same = (&raw const (*seen).sock).read_volatile() == sock;
                return if is_same { u64::from(number) + 1 } else { 0 };
            }
        }
    }
    0
}

/// The contents that the previous pass noted for this record, counted from 1; 0 if there are none.
///
/// # Safety
/// `progress` must point to the value of the map.
#[inline(always)]
pub(super) unsafe fn contents_before(progress: *mut TableProgress, previous: u64) -> u64 {
    let Some(number) = previous.checked_sub(1) else { return 0 };
    // SAFETY: the caller guarantees it; the other pointer is to the value of a map.
    unsafe {
        let half = (&raw const (*progress).half).read_volatile();
        let Some(seen) = SEEN.get_ptr(index(half ^ 1, number as u32)) else { return 0 };
        (&raw const (*seen).contents).read_volatile()
    }
}

/// Notes what the record of this pass with this number is about.
///
/// # Safety
/// `progress` must point to the value of the map.
#[inline(always)]
pub(super) unsafe fn note(progress: *mut TableProgress, number: u32, seen: SeenSocket) {
    // SAFETY: the caller guarantees it; the other pointer is to the value of a map.
    unsafe {
        let half = (&raw const (*progress).half).read_volatile();
        if number < SEEN_MAX
            && let Some(entry) = SEEN.get_ptr_mut(index(half, number))
        {
            entry.write(seen);
        }
    }
}

#[inline(always)]
const fn index(half: u32, number: u32) -> u32 {
    (half & 1) * SEEN_MAX + number
}

/// The contents of a record of this socket, if it is a TCP socket; otherwise any number. 0 if it
/// must be read again, or a read failed.
#[inline(always)]
pub(super) fn contents(address: *const u8, of_process: u64) -> u64 {
    hash(address, of_process).unwrap_or(0)
}

#[inline(always)]
fn hash(address: *const u8, of_process: u64) -> Option<u64> {
    // SAFETY: `Probed` accepts any address.
    let sock = unsafe { Sock::<Probed>::new(address) };
    let (state, cookie) = (sock.state()?, sock.cookie_if_any()?);
    if state == STATE_CLOSE || cookie == 0 {
        return None;
    }
    // SAFETY: `Probed` accepts any address.
    let number = |offset| unsafe { Probed::read::<u32>(address, offset) }.map(u64::from);
    // SAFETY: as above.
    let last_segment: u64 = unsafe { Probed::read(address, offset!(tcp_last_segment)) }?;
    let seed = seed();
    let pair = |first: u64, second: u64| first << 32 | second;
    let error = number(offset!(sock_error))?;
    let application = pair(number(offset!(tcp_copied_seq))?, number(offset!(tcp_write_seq))?);
    let peer = pair(number(offset!(tcp_rcv_nxt))?, number(offset!(tcp_snd_una))?);
    let hash = mix(of_process, cookie, seed);
    let hash = mix(hash, pair(error, state.into()), seed);
    let hash = mix(hash, last_segment, seed);
    let hash = mix(mix(hash, application, seed), peer, seed);
    // Neither 0 nor with the flag.
    Some((hash | 2) & !IS_COMPLETE)
}
