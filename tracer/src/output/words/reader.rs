//! Who waits to read from a connection, in words.

use tracer_core::Reader;

/// Who waits to read, as a phrase.
pub(crate) const fn reader(reader: Reader) -> &'static str {
    match reader {
        Reader::None => "none: no goroutine, thread or epoll instance waits to read",
        Reader::Goroutine => "a goroutine that waits to read",
        Reader::Thread => "a thread that waits to read",
        Reader::Epoll => "an epoll instance that watches for input",
        Reader::Mixed => "different for different connections",
        Reader::Unknown => "unknown",
    }
}
