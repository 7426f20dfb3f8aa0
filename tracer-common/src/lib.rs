//! The binary interface between the BPF programs and user space.
//!
//! Every record, map key, map value and global is a `repr(C)` struct of integers and byte arrays
//! without implicit padding, so any bit pattern is a valid value: a torn or foreign record decodes
//! to wrong numbers or to an error, never to undefined behavior. Enumerations travel as integers.
//! `tracer-core` interprets the numbers (states, addresses, times).
//!
//! The feature `user` derives zerocopy's traits, which check both properties at compile time.
#![no_std]
#![forbid(unsafe_code)]

mod counter;
mod event;
mod file_tables;
mod identity;
mod ledger;
mod offsets;
mod settings;
mod socket;
mod stack;

pub use counter::Counter;
pub use event::{EventKind, EventRecord};
pub use file_tables::{
    BLOCK_BYTES_MAX, BLOCKS_MAX, CHUNK_FDS, CHUNK_WORDS, RAW_PROCESSES_MAX, RAW_RECORDS_MAX,
    RawProcess, RawSocketRecord, SEEN_MAX, SeenSocket, SocketBlock, SocketBlocks, TableChunk,
    TableProgress,
};
pub use identity::Identity;
pub use ledger::{LedgerKey, LedgerKind, LedgerRecord};
pub use offsets::{Offset, Offsets};
pub use settings::Settings;
pub use socket::SocketRecord;
pub use stack::{NO_STACK, StackHash, StackKey, StackRecord, StackTop};

/// Length of a task's `comm` (`TASK_COMM_LEN` in `include/linux/sched.h`), in bytes.
pub const COMM_LENGTH: usize = 16;

/// Address family of IPv4 (`AF_INET`), as in `sock_common.skc_family`.
pub const FAMILY_INET: u16 = 2;
/// Address family of IPv6 (`AF_INET6`), as in `sock_common.skc_family`.
pub const FAMILY_INET6: u16 = 10;
/// `SOCK_STREAM`, as in `sock.sk_type`.
pub const TYPE_STREAM: u16 = 1;
/// `IPPROTO_TCP`, as in `sock.sk_protocol`.
pub const PROTOCOL_TCP: u16 = 6;
