//! How what is looked at again and again changes from one look to the next.

use serde::{Deserialize, Serialize};
use tracer_core::{
    ConnectionId, Holder, HttpStream, OpenResponse, ReaderFacts, SocketFacts, StackId, Timestamp,
};

use super::{moments::Varying, pieces::Item};

/// Declares what can change of a socket. That no field is missing, the compiler checks.
macro_rules! socket_change {
    ($($field:ident: $type:ty,)*) => {
        /// The fields that are not what they were.
        #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
        pub(super) struct SocketChange {
            $($field: Option<<$type as Varying>::Change>,)*
        }

        impl SocketChange {
            fn between(before: &SocketFacts, now: &SocketFacts) -> Self {
                let SocketFacts { id: _, $($field),* } = now;
                Self { $($field: $field.change_since(&before.$field),)* }
            }

            fn is_none(&self) -> bool {
                $(self.$field.is_none())&&*
            }

            fn apply(self, facts: &mut SocketFacts) {
                $(if let Some(change) = self.$field { facts.$field.change(change); })*
            }
        }
    };
}

socket_change! {
    inode: u64,
    netns: u32,
    state: tracer_core::TcpState,
    local: std::net::SocketAddr,
    remote: std::net::SocketAddr,
    owners: tracer_core::Owners,
    rx_bytes: u64,
    tx_bytes: u64,
    unread_bytes: u64,
    unsent_bytes: u64,
    fin_received: Option<bool>,
    drained: bool,
    read_sequence: u32,
    write_sequence: u32,
    last_sent_at: Option<Timestamp>,
    last_received_at: Option<Timestamp>,
    last_segment_at: Option<Timestamp>,
    last_ack_at: Option<Timestamp>,
    data_segments_sent: u32,
    data_segments_received: u32,
    unanswered_probes: u8,
    retransmits: u8,
    backoff: u8,
    timer: tracer_core::Timer,
    peer_window: u32,
    pending_error: Option<bool>,
    opened_actively: Option<bool>,
}

impl Item for Box<SocketFacts> {
    type Key = ConnectionId;
    type Change = Box<SocketChange>;

    fn key(&self) -> ConnectionId {
        self.id
    }

    fn change_since(&self, before: &Self) -> Option<Box<SocketChange>> {
        let change = SocketChange::between(before, self);
        (!change.is_none()).then(|| Box::new(change))
    }

    fn changed(&self, change: Box<SocketChange>) -> Self {
        let mut facts = self.clone();
        change.apply(&mut facts);
        facts
    }
}

/// Items of which all but the key is written again if anything changes.
macro_rules! changes_as_a_whole {
    ($item:ty, $key:ty, $get:expr) => {
        impl Item for $item {
            type Key = $key;
            type Change = Self;

            fn key(&self) -> $key {
                let get: fn(&Self) -> $key = $get;
                get(self)
            }

            fn change_since(&self, before: &Self) -> Option<Self> {
                (self != before).then(|| self.clone())
            }

            fn changed(&self, change: Self) -> Self {
                change
            }
        }
    };
}

changes_as_a_whole!(Holder, tracer_core::ProcessKey, |holder| holder.key);
changes_as_a_whole!(ReaderFacts, ConnectionId, |facts| facts.id);
changes_as_a_whole!(OpenResponse, (u32, Timestamp, Option<StackId>, Option<u32>), |response| {
    let stream = response.stream.map(|HttpStream { id, .. }| id);
    (response.fd, response.since, response.stack, stream)
});
