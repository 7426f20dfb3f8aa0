//! The BPF programs: loading, attaching, and the constants of the running kernel that are needed
//! to interpret their records.

pub(crate) mod attach;
pub mod btf;
mod error;
pub(crate) mod extent;
pub(crate) mod fd_keeper;
mod file_tables;
pub(crate) mod hooks;
pub mod iterator;
pub(crate) mod jiffies;
pub(crate) mod load;
pub(crate) mod lockdown;
pub(crate) mod losses;
pub(crate) mod map_batch;
pub(crate) mod object;
pub(crate) mod offsets;
mod pod;
mod private_mount;
pub(crate) mod privileges;
mod registers;
pub(crate) mod ring;
mod scope;
mod socket_layout;
pub(crate) mod stacks;
pub(crate) mod tracefs;
pub(crate) mod uprobes;
pub(crate) mod vmlinux;
