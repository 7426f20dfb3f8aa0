/// Thresholds and limits; the core's whole configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct Options {
    /// T: how long a connection must have been silent before it is suspicious.
    pub idle_ms: u64,
    /// N: how many alike it takes before a verdict is more than *possible*.
    pub count_min: usize,
    /// So many dead connections a pool may keep by oversight; twice as many if it is a large one.
    pub pool_size: usize,
    /// Up to so much unread data is TLS tickets, greetings and closing notices.
    pub unread_min_bytes: u64,
    /// How long the connections of a pool must have been idle for it to be one that nobody uses.
    pub pool_idle_ms: u64,
    /// Length of one window of the growth rule, which takes five.
    pub window_ms: u64,
    /// Most connections kept; further ones are counted in [`Coverage::table_full`](crate::Coverage).
    pub connections_max: usize,
    /// Most responses kept that ledgers list; further ones are counted in
    /// [`Coverage::responses_full`](crate::Coverage).
    pub responses_max: usize,
    /// Most findings that were taken back and are still shown; further ones are counted.
    pub retracted_max: usize,
    /// Put connections without a finding into the report too.
    pub all: bool,
    /// The user asked for particular processes, so each of them gets a headline.
    pub scoped: bool,
}

impl Options {
    /// What happened within a twelfth of T (5 s by default) counts as one time.
    pub(crate) const fn gap_ms(&self) -> u64 {
        self.idle_ms / 12
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            idle_ms: 60_000,
            count_min: 5,
            pool_size: 10,
            unread_min_bytes: 4_096,
            pool_idle_ms: 300_000,
            window_ms: 36_000,
            connections_max: 1 << 21,
            responses_max: 1 << 20,
            retracted_max: 1_000,
            all: false,
            scoped: false,
        }
    }
}
