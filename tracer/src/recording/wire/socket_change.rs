//! How a socket changes from one snapshot to the next, field by field.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use super::{
    socket::{ConnectionId, Owner, Owners, SocketFacts, TcpState, Timer},
    time::Time,
};
use crate::recording::{
    list_delta::{ListItem, ListStep},
    time_delta::TimeDelta,
};

/// A step of the list of sockets.
pub(in crate::recording) type SocketStep = ListStep<Box<SocketFacts>, Box<SocketChange>>;

/// A field of a socket that can change.
pub(in crate::recording) trait Field {
    /// How the change is written.
    type Delta;

    /// How the value differs from its earlier value; `None` if it does not.
    fn delta_since(&self, before: &Self) -> Option<Self::Delta>;

    fn apply(&mut self, delta: Self::Delta);
}

/// Fields that are written completely when they change.
macro_rules! written_anew {
    ($($type:ty),* $(,)?) => {$(
        impl Field for $type {
            type Delta = Self;

            fn delta_since(&self, before: &Self) -> Option<Self> {
                (self != before).then(|| self.clone())
            }

            fn apply(&mut self, delta: Self) {
                *self = delta;
            }
        }
    )*};
}

written_anew!(u8, u32, u64, bool, Option<bool>, SocketAddr, TcpState, Timer);

impl Field for Option<Time> {
    type Delta = OptionalTimeDelta;

    fn delta_since(&self, before: &Self) -> Option<OptionalTimeDelta> {
        (self != before).then(|| match (*before, *self) {
            (Some(before), Some(now)) => OptionalTimeDelta::Shifted(now.since(before)),
            (_, now) => OptionalTimeDelta::Replaced(now),
        })
    }

    fn apply(&mut self, delta: OptionalTimeDelta) {
        *self = match delta {
            OptionalTimeDelta::Shifted(delta) => self.map(|before| before.plus(delta)),
            OptionalTimeDelta::Replaced(now) => now,
        };
    }
}

// Read as a `Vec`, which reserves a bounded amount of memory, because the written length may be
// arbitrary.
impl Field for Owners {
    type Delta = Vec<Owner>;

    fn delta_since(&self, before: &Self) -> Option<Vec<Owner>> {
        (self != before).then(|| self.to_vec())
    }

    fn apply(&mut self, delta: Vec<Owner>) {
        *self = delta.into_iter().collect();
    }
}

/// The change of an optional time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::recording) enum OptionalTimeDelta {
    /// The time has changed by this difference.
    Shifted(TimeDelta),
    /// The time was absent before, or is absent now.
    Replaced(Option<Time>),
}

/// Declares the fields of a socket that can change. The compiler checks that none is missing.
macro_rules! socket_change {
    ($($field:ident: $type:ty,)*) => {
        /// The fields that have changed. Their order is the format.
        #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
        pub(in crate::recording) struct SocketChange {
            $(pub(in crate::recording) $field: Option<<$type as Field>::Delta>,)*
        }

        impl SocketChange {
            fn between(before: &SocketFacts, now: &SocketFacts) -> Self {
                let SocketFacts { id: _, $($field),* } = now;
                Self { $($field: $field.delta_since(&before.$field),)* }
            }

            fn is_none(&self) -> bool {
                $(self.$field.is_none())&&*
            }

            fn apply(self, facts: &mut SocketFacts) {
                $(if let Some(delta) = self.$field { facts.$field.apply(delta); })*
            }
        }

        #[cfg(test)]
        impl super::tests::Sample for SocketChange {
            fn samples(next: &mut super::tests::Counter) -> Vec<Self> {
                vec![Self { $($field: super::tests::Sample::sample(next)),* }]
            }
        }
    };
}

socket_change! {
    inode: u64,
    netns: u32,
    state: TcpState,
    local: SocketAddr,
    remote: SocketAddr,
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
}

impl ListItem for Box<SocketFacts> {
    type Key = ConnectionId;
    type Delta = Box<SocketChange>;

    fn key(&self) -> ConnectionId {
        self.id
    }

    fn delta_since(&self, before: &Self) -> Option<Box<SocketChange>> {
        let change = SocketChange::between(before, self);
        (!change.is_none()).then(|| Box::new(change))
    }

    fn changed(&self, delta: Box<SocketChange>) -> Self {
        let mut facts = self.clone();
        delta.apply(&mut facts);
        facts
    }
}
