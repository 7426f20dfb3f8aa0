//! Who in a process would notice something on a connection: looks into the process.

pub(crate) mod epoll;
pub(crate) mod go;
