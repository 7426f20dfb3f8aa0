//! The binary interface between the kernel programs and the user side.
//!
//! Everything here is integers and byte arrays in `repr(C)` with explicit padding, so that any bit
//! pattern is a valid value: the kernel side writes records, the user side may read a torn or
//! foreign one and must get an error or nonsense, never undefined behaviour.
//! Meaning (states, addresses, time) is given to these numbers in `tracer-core`.
#![no_std]
#![forbid(unsafe_code)]

mod counter;
mod event;
mod identity;
mod ledger;
mod offsets;
mod settings;
mod socket;
mod stack_top;

pub use counter::Counter;
pub use event::{EventKind, EventRecord};
pub use identity::Identity;
pub use ledger::{LedgerKey, LedgerKind, LedgerRecord};
pub use offsets::{Offset, Offsets};
pub use settings::Settings;
pub use socket::SocketRecord;
pub use stack_top::StackTop;

/// Length of a task's `comm` (`TASK_COMM_LEN` in `include/linux/sched.h`).
pub const COMM_LENGTH: usize = 16;

/// Address family of IPv4 (`AF_INET`), as in `skc_family`.
pub const FAMILY_INET: u16 = 2;
/// Address family of IPv6 (`AF_INET6`), as in `skc_family`.
pub const FAMILY_INET6: u16 = 10;
