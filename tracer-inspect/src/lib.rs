//! Reads watched processes: which goroutine, thread or epoll instance is waiting for a connection,
//! which goroutines still reference an HTTP response, and which line of the application opened a
//! connection.
//!
//! [`Inspector`](inspector::Inspector) is the entry point: it takes a
//! [`Question`](tracer_core::Question) and returns an [`Input`](tracer_core::Input). The other
//! public modules are parsers, which the fuzz targets call as well, and readers of `/proc` that
//! other parts of the program share.
//!
//! A watched process controls everything that is read here: its memory, files, mappings and debug
//! information. So every parser accepts arbitrary bytes, and what it allocates and how long it runs is
//! limited by the [`Budget`](budget::Budget) of the question. This crate uses no network and no BPF
//! programs. It neither stops a process nor writes to its memory.

pub mod budget;
mod cache;
mod call_sites;
pub mod clock;
mod elf;
pub mod error_with_fix;
pub mod frames;
pub mod go;
pub mod inspector;
pub mod native;
pub mod process;
pub mod protocol;
mod readers;
pub mod unprivileged_user;
pub mod worker;
