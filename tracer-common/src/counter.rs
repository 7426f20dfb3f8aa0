/// What the kernel side counts when it hits a limit; the index into the per-CPU map `COUNTERS`.
///
/// The user side reads the sum over all CPUs. A counter only ever rises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Counter {
    /// An event found no room in the ring buffer and was lost.
    RingFull = 0,
    /// A socket or process did not fit into a map, so later events of it are lost.
    MapFull = 1,
    /// A read of kernel memory failed, so an event was lost or went out with a part missing.
    ReadFailed = 2,
    /// A user stack was not kept: another one has its place in the map `STACKS`.
    StackLost = 3,
    /// A response did not fit into the map `LEDGER`.
    LedgerFull = 4,
}

impl Counter {
    /// Number of counters, the size of the map.
    pub const COUNT: u32 = 5;
}
