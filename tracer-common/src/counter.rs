/// An index into the per-CPU array map `COUNTERS`, in which the BPF programs count losses.
///
/// User space sums each counter over all CPUs. A counter never decreases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Counter {
    /// The ring buffer `EVENTS` had no room for an event, which was lost.
    RingFull = 0,
    /// A socket did not fit into the map `TRACKED` or `IDENTITIES`: its later events are lost, or
    /// this one carries no identity.
    MapFull = 1,
    /// A read of kernel memory failed, so an event or a change of the map `LEDGER` was lost.
    ReadFailed = 2,
    /// An event or an entry of `LEDGER` has no user stack, because the map `STACKS` is full or the
    /// stack could not be read.
    StackLost = 3,
    /// A response did not fit into the map `LEDGER`.
    LedgerFull = 4,
}

impl Counter {
    /// Number of counters: the number of entries of the map.
    pub const COUNT: u32 = 5;
}
