//! Which bytes of a socket the iterator `iter/task` copies, and how they become a record.

use tracer_common::{
    BLOCK_BYTES_MAX, BLOCKS_MAX, Block, Blocks, Offsets, RawRecord, SocketRecord,
};
use zerocopy::{FromBytes, FromZeros as _};

/// `IPPROTO_TCP`, as in `sk_protocol`.
const PROTOCOL_TCP: u16 = 6;
/// `AF_INET6`.
use tracer_common::FAMILY_INET6;

/// Fields at most this many bytes apart are copied together: that takes less time than another
/// call.
const GAP_MAX: u32 = 64;

macro_rules! fields {
    ($($name:ident: $type:ty = $offset:ident,)*) => {
        /// The position of each field in [`RawRecord::bytes`].
        #[derive(Clone, Copy, Debug, Default)]
        struct Positions {
            $($name: usize,)*
        }

        /// The offset in the socket and the length of each field.
        fn all(offsets: &Offsets) -> Vec<(u32, u32)> {
            vec![$((offsets.$offset, size_of::<$type>() as u32),)*]
        }

        impl Positions {
            fn new(mut position: impl FnMut(u32) -> Option<usize>, offsets: &Offsets) -> Option<Self> {
                Some(Self { $($name: position(offsets.$offset)?,)* })
            }

            $(fn $name(&self, raw: &RawRecord) -> $type {
                let bytes = raw.bytes.get(self.$name..).unwrap_or_default();
                <$type>::read_from_prefix(bytes).map(|(value, _)| value).unwrap_or_default()
            })*
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

/// The blocks, and where in them the fields are.
#[derive(Clone, Copy, Debug)]
pub(super) struct SocketBlocks {
    pub(super) blocks: Blocks,
    positions: Positions,
}

impl SocketBlocks {
    /// `None` if the fields do not fit.
    pub(super) fn new(offsets: &Offsets) -> Option<Self> {
        let mut fields = all(offsets);
        fields.sort_unstable();
        let mut merged: Vec<(u32, u32)> = Vec::new();
        for (offset, length) in fields {
            match merged.last_mut() {
                Some((start, end)) if offset <= *end + GAP_MAX && offset + length - *start <= 128 => {
                    *end = (*end).max(offset + length);
                }
                _ => merged.push((offset, offset + length)),
            }
        }
        let mut blocks = Blocks::default();
        let mut position = 0;
        if merged.len() > BLOCKS_MAX {
            return None;
        }
        for (block, (start, end)) in blocks.blocks.iter_mut().zip(&merged) {
            *block = Block { offset: *start, length: end - start, position };
            position += (end - start).next_multiple_of(8);
        }
        if position as usize > BLOCK_BYTES_MAX {
            return None;
        }
        let place = |offset: u32| {
            let block = blocks.blocks.iter().find(|block| {
                (block.offset..block.offset + block.length).contains(&offset)
            })?;
            Some((block.position + offset - block.offset) as usize)
        };
        let positions = Positions::new(place, offsets)?;
        Some(Self { blocks, positions })
    }

    pub(super) fn record(&self, raw: &RawRecord) -> SocketRecord {
        let at = &self.positions;
        let mut record = SocketRecord::new_zeroed();
        record.cookie = at.cookie(raw);
        record.inode = raw.inode;
        record.start_time_ns = raw.start_time_ns;
        record.at_ns = raw.at_ns;
        record.jiffies = raw.jiffies;
        record.pid = raw.pid;
        record.fd = raw.fd;
        record.netns = raw.netns;
        record.comm = raw.comm;
        record.family = at.family(raw);
        record.socket_type = at.socket_type(raw);
        record.protocol = at.protocol(raw);
        record.state = at.state(raw);
        record.remote_port = u16::from_be(at.remote_port(raw));
        record.error = at.error(raw);
        if record.family == FAMILY_INET6 {
            (record.local_address, record.remote_address) = (at.local_ipv6(raw), at.remote_ipv6(raw));
        } else {
            record.local_address[..4].copy_from_slice(&at.local_ipv4(raw));
            record.remote_address[..4].copy_from_slice(&at.remote_ipv4(raw));
        }
        if record.protocol != PROTOCOL_TCP {
            record.local_port = at.number(raw);
            return record;
        }
        record.local_port = u16::from_be(at.local_port(raw));
        record.copied_seq = at.copied_seq(raw);
        if at.last_read_seq(raw) == record.copied_seq {
            record.last_read_us = at.last_read(raw);
        }
        record.rcv_nxt = at.rcv_nxt(raw);
        record.snd_una = at.snd_una(raw);
        record.write_seq = at.write_seq(raw);
        record.bytes_received = at.bytes_received(raw);
        record.bytes_acked = at.bytes_acked(raw);
        record.bytes_sent = at.bytes_sent(raw);
        record.bytes_retransmitted = at.bytes_retransmitted(raw);
        record.last_segment_us = at.last_segment(raw);
        record.last_sent_jiffies = at.last_sent(raw);
        record.last_received_jiffies = at.last_received(raw);
        record.last_ack_jiffies = at.last_ack(raw);
        record.data_segments_sent = at.data_segments_sent(raw);
        record.data_segments_received = at.data_segments_received(raw);
        record.peer_window = at.peer_window(raw);
        record.timer = at.timer(raw);
        record.retransmits = at.retransmits(raw);
        record.backoff = at.backoff(raw);
        record.probes_out = at.probes_out(raw);
        record.flags = at.flags(raw);
        record
    }
}
