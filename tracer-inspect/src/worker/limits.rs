//! What the kernel lets the worker use.

use std::io;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Most anonymous memory of the worker, in bytes: heap, stacks and private writable mappings
/// (`RLIMIT_DATA`, getrlimit(2)). Mapped files do not count. Where more is needed, the allocation
/// fails and the worker aborts.
pub const MEMORY_MAX_BYTES: u64 = 192 << 20;

/// Limits this process for good: memory, no core dumps, no writing to files.
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
