//! The resource limits of the worker.

use std::io;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Maximum anonymous memory of the worker, in bytes: heap and private writable mappings
/// (`RLIMIT_DATA`, getrlimit(2)). Mapped files do not count. If more is needed, the allocation
/// fails and the worker aborts. It is more than the [budget](crate::budget) of a question, so that
/// a question that needs too much memory is answered with that limit: the rest is for what is kept
/// of Go programs, for buffers of constant size and for the worker itself.
pub const MEMORY_MAX_BYTES: u64 = 232 << 20;

/// Permanently limits this process: memory, no core dumps, no writing to files.
///
/// # Errors
/// The kernel refused.
pub fn limit_resources() -> io::Result<()> {
    limit(Resource::Data, MEMORY_MAX_BYTES)?;
    limit(Resource::Fsize, 0)?;
    limit(Resource::Core, 0)
}

/// Lowers both the soft and the hard limit.
fn limit(resource: Resource, maximum: u64) -> io::Result<()> {
    let before = getrlimit(resource).maximum;
    let maximum = before.map_or(maximum, |before| before.min(maximum));
    let limit = Rlimit { current: Some(maximum), maximum: Some(maximum) };
    Ok(setrlimit(resource, limit)?)
}
