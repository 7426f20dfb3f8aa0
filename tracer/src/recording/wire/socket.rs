//! Sockets as a snapshot shows them.

use std::net::SocketAddr;

use serde::{Deserialize, Deserializer};
use smallvec::SmallVec;

use super::{
    Wire,
    process::{Comm, ProcessKey},
    time::Time,
};

wire_newtype! {
    /// A socket's cookie.
    #[derive(Copy, PartialOrd, Ord, Hash)]
    ConnectionId(u64) mirrors tracer_core::ConnectionId
}

wire_enum! {
    #[derive(Copy)]
    TcpState mirrors tracer_core::TcpState {
        Established,
        SynSent,
        SynReceived,
        FinWait1,
        FinWait2,
        TimeWait,
        Closed,
        CloseWait,
        LastAck,
        Listen,
        Closing,
    }
}

wire_enum! {
    #[derive(Copy)]
    Timer mirrors tracer_core::Timer {
        None,
        Retransmit,
        WindowProbe,
        Other,
    }
}

wire_struct! {
    Owner mirrors tracer_core::Owner {
        key: ProcessKey,
        fd: u32,
        comm: Comm,
        in_scope: bool,
    }
}

/// The owners of a socket: nearly always one, which is stored inline. Written as a list.
pub(in crate::recording) type Owners = SmallVec<[Owner; 1]>;

impl Wire for Owners {
    type Core = tracer_core::Owners;

    fn from_core(core: &tracer_core::Owners) -> Self {
        core.iter().map(Owner::from_core).collect()
    }

    fn to_core(&self) -> tracer_core::Owners {
        self.iter().map(Owner::to_core).collect()
    }
}

/// Reads owners as a `Vec`, which reserves a bounded amount of memory, because the written length
/// may be arbitrary.
fn owners<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Owners, D::Error> {
    let owners: Vec<Owner> = Deserialize::deserialize(deserializer)?;
    Ok(owners.into_iter().collect())
}

wire_struct! {
    SocketFacts mirrors tracer_core::SocketFacts {
        id: ConnectionId,
        inode: u64,
        netns: u32,
        state: TcpState,
        local: SocketAddr,
        remote: SocketAddr,
        #[serde(deserialize_with = "owners")]
        owners: Owners,
        rx_bytes: u64,
        tx_bytes: u64,
        unread_bytes: u64,
        unsent_bytes: u64,
        fin_received: Option<bool>,
        drained: bool,
        read_sequence: u32,
        write_sequence: u32,
        last_sent_at: Option<Time>,
        last_received_at: Option<Time>,
        last_segment_at: Option<Time>,
        last_ack_at: Option<Time>,
        data_segments_sent: u32,
        data_segments_received: u32,
        unanswered_probes: u8,
        retransmits: u8,
        backoff: u8,
        timer: Timer,
        peer_window: u32,
        pending_error: Option<bool>,
        opened_actively: Option<bool>,
    } elsewhere {
        // `entry::LastRead`
        last_read_at,
    }
}
