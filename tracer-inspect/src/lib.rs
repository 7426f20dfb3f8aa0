//! Reads processes that are watched: what waits for their connections, what their Go runtime says of
//! HTTP responses, and which line of the application opened a connection.
//!
//! A process controls all that is read here: its memory, its files, its maps, its debug
//! information. So every parser takes any bytes, and none trusts what it reads. There is no network
//! and there are no kernel programs in this crate; nothing is stopped, and nothing is written to.

pub mod cache;
pub mod call_sites;
pub mod clock;
pub mod frames;
pub mod go;
pub mod inspector;
pub mod native;
pub mod process;
pub mod readers;
