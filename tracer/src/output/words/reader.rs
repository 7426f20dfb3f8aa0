//! What is waiting to read from a connection, in words.

use tracer_core::Reader;

/// What is waiting to read, as a phrase.
pub(crate) const fn reader(reader: Reader) -> &'static str {
    match reader {
        Reader::None => "none: no goroutine, thread or epoll instance is waiting to read",
        Reader::Goroutine => "a goroutine that is waiting to read",
        Reader::Thread => "a thread that is waiting to read",
        Reader::Epoll => "an epoll instance that is watching for input",
        Reader::Mixed => "different for different connections",
        Reader::Unknown => "unknown",
    }
}
