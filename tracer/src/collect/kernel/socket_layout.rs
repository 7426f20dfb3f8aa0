//! The bytes of a socket that the iterator over file tables copies, and their conversion to a
//! record.

use tracer_common::{
    BLOCK_BYTES_MAX, BLOCKS_MAX, FAMILY_INET6, Offsets, PROTOCOL_TCP, RawSocketRecord, SocketBlock,
    SocketBlocks, SocketRecord,
};
use zerocopy::{FromBytes, FromZeros as _, IntoBytes as _};

use crate::collect::socket_records::{Fingerprint, Fingerprints};

/// Fields that are at most this many bytes apart are copied together: that takes less time than
/// another call of the helper.
const GAP_MAX: u32 = 48;
/// Size of `sock_common.skc_net`, which only the program reads: a pointer.
const NET_BYTES: u32 = 8;
/// Blocks begin at multiples of this, in bytes.
const ALIGNMENT: u32 = 8;

macro_rules! fields {
    ($($name:ident: $type:ty = $offset:ident,)*) => {
        /// The position of each field in [`RawSocketRecord::bytes`].
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        struct Positions {
            $($name: usize,)*
        }

        impl Positions {
            /// `None` if a field is in no block.
            fn new(offsets: &Offsets, position: impl Fn(u32) -> Option<usize>) -> Option<Self> {
                Some(Self { $($name: position(offsets.$offset)?,)* })
            }

            $(#[inline]
            fn $name(&self, raw: &RawSocketRecord) -> $type {
                let bytes = raw.bytes.get(self.$name..).unwrap_or_default();
                <$type>::read_from_prefix(bytes).map(|(value, _)| value).unwrap_or_default()
            })*
        }

        /// Where each field begins and ends in the socket, in bytes.
        fn extents(offsets: &Offsets) -> Vec<(u32, u32)> {
            #[expect(clippy::cast_possible_truncation, reason = "at most 16")]
            let extents = vec![$(
                (offsets.$offset, offsets.$offset + size_of::<$type>() as u32),
            )*];
            extents
        }
    };
}

fields! {
    family: u16 = sock_family,
    state: u8 = sock_state,
    remote_port: u16 = sock_remote_port,
    number: u16 = sock_local_port,
    remote_ipv4: [u8; 4] = sock_remote_ipv4,
    local_ipv4: [u8; 4] = sock_local_ipv4,
    remote_ipv6: [u8; 16] = sock_remote_ipv6,
    local_ipv6: [u8; 16] = sock_local_ipv6,
    cookie: u64 = sock_cookie,
    flags: u64 = sock_flags,
    error: u32 = sock_error,
    socket_type: u16 = sock_type,
    protocol: u16 = sock_protocol,
    local_port: u16 = inet_local_port,
    last_received: u32 = connection_last_received,
    timer: u8 = connection_timer,
    retransmits: u8 = connection_retransmits,
    backoff: u8 = connection_backoff,
    probes_out: u8 = connection_probes_out,
    last_sent: u32 = tcp_last_sent,
    last_segment: u64 = tcp_last_segment,
    last_ack: u32 = tcp_last_ack,
    rcv_nxt: u32 = tcp_rcv_nxt,
    copied_seq: u32 = tcp_copied_seq,
    last_read: u64 = tcp_last_read,
    last_read_seq: u32 = tcp_last_read_seq,
    snd_una: u32 = tcp_snd_una,
    write_seq: u32 = tcp_write_seq,
    peer_window: u32 = tcp_peer_window,
    data_segments_sent: u32 = tcp_data_segments_sent,
    data_segments_received: u32 = tcp_data_segments_received,
    bytes_received: u64 = tcp_bytes_received,
    bytes_acked: u64 = tcp_bytes_acked,
    bytes_sent: u64 = tcp_bytes_sent,
    bytes_retransmitted: u64 = tcp_bytes_retransmitted,
}

/// The blocks of a socket, and where in them the fields are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SocketLayout {
    pub(super) blocks: SocketBlocks,
    positions: Positions,
    /// Length of all blocks in [`RawSocketRecord::bytes`].
    length: usize,
}

impl SocketLayout {
    /// `None` if there are too many blocks.
    pub(super) fn new(offsets: &Offsets) -> Option<Self> {
        // The socket is not locked, so of two sequence numbers the lower one is copied first: data
        // that moves in between increases the difference and never makes it negative.
        let pairs = [
            (offsets.tcp_copied_seq, offsets.tcp_rcv_nxt),
            (offsets.tcp_snd_una, offsets.tcp_write_seq),
        ];
        let mut extents = extents(offsets);
        extents.push((offsets.sock_net, offsets.sock_net + NET_BYTES));
        let merged = merge(extents);
        let extents = in_order(&merged, &pairs).unwrap_or_else(|| {
            // These are copied twice; the first copy counts.
            pairs.into_iter().map(|(lower, _)| (lower, lower + 4)).chain(merged).collect()
        });
        if extents.len() > BLOCKS_MAX {
            return None;
        }
        let mut blocks = SocketBlocks::default();
        let mut position = 0;
        for (block, (begin, end)) in blocks.blocks.iter_mut().zip(extents) {
            *block = SocketBlock { offset: begin, length: end - begin, position };
            position += block.length.next_multiple_of(ALIGNMENT);
        }
        let position_end = position;
        if position_end as usize > BLOCK_BYTES_MAX {
            return None;
        }
        let position = |offset: u32| {
            let holds = |block: &&SocketBlock| {
                (block.offset..block.offset + block.length).contains(&offset)
            };
            let block = blocks.blocks.iter().find(holds)?;
            Some((block.position + offset - block.offset) as usize)
        };
        let positions = Positions::new(offsets, position)?;
        // The program reads this field with one load.
        blocks.net_position = u32::try_from(position(offsets.sock_net)?).ok()?;
        let length = position_end as usize;
        blocks.net_position.is_multiple_of(ALIGNMENT).then_some(Self { blocks, positions, length })
    }

    /// The fingerprint of what [`record`](Self::record) returns, except for its time.
    pub(super) fn fingerprint(
        &self,
        raw: &RawSocketRecord,
        fingerprints: &Fingerprints,
    ) -> Fingerprint {
        let RawSocketRecord { inode, start_time_ns, netns, comm, bytes, .. } = raw;
        let blocks = bytes.get(..self.length).unwrap_or(bytes);
        let process = [*inode, *start_time_ns, u64::from(*netns)];
        fingerprints.of_parts(raw.pid, raw.fd, &[process.as_bytes(), comm, blocks])
    }

    /// The record that `iter/task_file` would write.
    pub(super) fn record(&self, raw: &RawSocketRecord) -> SocketRecord {
        let at = &self.positions;
        let mut record = SocketRecord {
            cookie: at.cookie(raw),
            inode: raw.inode,
            start_time_ns: raw.start_time_ns,
            at_ns: raw.at_ns,
            jiffies: raw.jiffies,
            pid: raw.pid,
            fd: raw.fd,
            netns: raw.netns,
            comm: raw.comm,
            family: at.family(raw),
            socket_type: at.socket_type(raw),
            protocol: at.protocol(raw),
            state: at.state(raw),
            local_port: at.number(raw),
            remote_port: u16::from_be(at.remote_port(raw)),
            error: at.error(raw),
            ..SocketRecord::new_zeroed()
        };
        if record.family == FAMILY_INET6 {
            record.local_address = at.local_ipv6(raw);
            record.remote_address = at.remote_ipv6(raw);
        } else {
            record.local_address[..4].copy_from_slice(&at.local_ipv4(raw));
            record.remote_address[..4].copy_from_slice(&at.remote_ipv4(raw));
        }
        if record.protocol != PROTOCOL_TCP {
            return record;
        }
        let copied_seq = at.copied_seq(raw);
        let has_read_since = at.last_read_seq(raw) != copied_seq;
        SocketRecord {
            local_port: u16::from_be(at.local_port(raw)),
            copied_seq,
            last_read_us: if has_read_since { 0 } else { at.last_read(raw) },
            rcv_nxt: at.rcv_nxt(raw),
            snd_una: at.snd_una(raw),
            write_seq: at.write_seq(raw),
            bytes_received: at.bytes_received(raw),
            bytes_acked: at.bytes_acked(raw),
            bytes_sent: at.bytes_sent(raw),
            bytes_retransmitted: at.bytes_retransmitted(raw),
            last_segment_us: at.last_segment(raw),
            last_sent_jiffies: at.last_sent(raw),
            last_received_jiffies: at.last_received(raw),
            last_ack_jiffies: at.last_ack(raw),
            data_segments_sent: at.data_segments_sent(raw),
            data_segments_received: at.data_segments_received(raw),
            peer_window: at.peer_window(raw),
            timer: at.timer(raw),
            retransmits: at.retransmits(raw),
            backoff: at.backoff(raw),
            probes_out: at.probes_out(raw),
            flags: at.flags(raw),
            ..record
        }
    }
}

/// Merges extents that are close to each other, and returns them in the order of their addresses.
fn merge(mut extents: Vec<(u32, u32)>) -> Vec<(u32, u32)> {
    extents.sort_unstable();
    let mut merged: Vec<(u32, u32)> = Vec::new();
    for (begin, end) in extents {
        match merged.last_mut() {
            Some((_, last)) if begin <= *last + GAP_MAX => *last = end.max(*last),
            _ => merged.push((begin, end)),
        }
    }
    merged
}

/// Arranges extents so that the first field of each pair is read before the second; `None` if that
/// is impossible. Within an extent, bytes are read in the order of their addresses.
fn in_order(extents: &[(u32, u32)], pairs: &[(u32, u32)]) -> Option<Vec<(u32, u32)>> {
    let mut rest = extents.to_vec();
    let mut arranged = Vec::new();
    while !rest.is_empty() {
        let holds = |extent: &(u32, u32), field: u32| (extent.0..extent.1).contains(&field);
        let is_next = |extent: &&(u32, u32)| {
            pairs.iter().all(|&(lower, upper)| {
                !holds(extent, upper)
                    || if holds(extent, lower) {
                        lower < upper
                    } else {
                        arranged.iter().any(|earlier| holds(earlier, lower))
                    }
            })
        };
        let next = *rest.iter().find(is_next)?;
        rest.retain(|extent| *extent != next);
        arranged.push(next);
    }
    Some(arranged)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Offsets in the order in which they are declared, `stride` bytes apart.
    fn offsets(stride: u32) -> Offsets {
        let mut next = 0;
        let resolved = Offsets::resolve(|_| {
            next += stride;
            Ok::<u32, ()>(next)
        });
        resolved.unwrap()
    }

    #[test]
    fn close_fields_are_copied_together() {
        let merged = merge(vec![(200, 208), (0, 4), (10, 12), (12, 20), (249, 250), (400, 402)]);
        assert_eq!(merged, [(0, 20), (200, 250), (400, 402)]);
    }

    #[test]
    fn the_lower_of_two_sequence_numbers_is_copied_first() {
        let extents = [(0, 8), (100, 120), (200, 208)];
        assert_eq!(in_order(&extents, &[(100, 116), (0, 204)]).unwrap(), extents);
        let arranged = in_order(&extents, &[(200, 0), (0, 100)]).unwrap();
        assert_eq!(arranged, [(200, 208), (0, 8), (100, 120)]);
        assert_eq!(in_order(&extents, &[(116, 100)]), None, "within one extent");
        assert_eq!(in_order(&extents, &[(0, 100), (104, 4)]), None, "a cycle");
    }

    #[test]
    fn a_field_that_must_come_first_may_be_copied_twice() {
        // `rcv_nxt` is directly in front of `copied_seq`.
        let layout = SocketLayout::new(&offsets(8)).unwrap();
        let offsets = offsets(8);
        assert!(offsets.tcp_rcv_nxt < offsets.tcp_copied_seq);
        let [first, second, ..] = layout.blocks.blocks;
        assert_eq!((first.offset, first.length), (offsets.tcp_copied_seq, 4));
        assert_eq!((second.offset, second.length), (offsets.tcp_snd_una, 4));
        assert_eq!([layout.positions.copied_seq, layout.positions.snd_una], [0, 8]);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        assert_eq!(SocketLayout::new(&offsets(64)), None);
    }
}
