//! `/proc/PID`: identity, facts, file descriptors, epoll instances, threads and mappings of a process,
//! and its memory.

pub mod access;
pub(crate) mod auxiliary_vector;
mod bounded_line;
pub mod cgroup;
pub mod container;
pub mod epoll;
pub mod facts;
pub mod fd_tables;
pub mod file_key;
pub mod identity;
pub mod image;
pub mod maps;
pub mod memory;
pub mod mounts;
pub(crate) mod pagemap;
pub mod pages;
pub mod regular_file;
pub mod script;
pub mod selection;
pub mod socket_link;
pub mod stat;
pub mod threads;
pub mod user_stack;
pub mod visibility;
