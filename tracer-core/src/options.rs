//! Thresholds and limits.

/// The whole configuration of the core.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// How long a connection must be idle before it is suspicious (`--idle`).
    pub idle_ms: u64,
    /// How many similar connections are required for more than *possible* (`--min-count`).
    pub count_min: usize,
    /// Dead connections per destination that are attributed to a pool (`--pool-size`); four times
    /// as many if they carried more than one request.
    pub pool_size: usize,
    /// Unread data of up to this many bytes is attributed to TLS session tickets, greetings and
    /// close_notify alerts (`--min-unread`).
    pub unread_min_bytes: u64,
    /// How long connections must be idle before they count as an unshared pool (`--pool-idle`).
    pub pool_idle_ms: u64,
    /// Length of one window of the growth rule: a fifth of `--growth-for`.
    pub window_ms: u64,
    /// The maximum number of connections kept; further ones are counted in
    /// [`Coverage::table_full`].
    ///
    /// [`Coverage::table_full`]: crate::Coverage::table_full
    pub connections_max: usize,
    /// The maximum number of open responses kept; further ones are counted in
    /// [`Coverage::responses_full`].
    ///
    /// [`Coverage::responses_full`]: crate::Coverage::responses_full
    pub responses_max: usize,
    /// The maximum number of retracted findings listed; further ones are counted in
    /// [`Note::RetractedNotListed`](crate::Note::RetractedNotListed).
    pub retracted_max: usize,
    /// Whether connections without a finding are also reported (`--all`).
    pub all: bool,
    /// Whether the user selected particular processes: each of them gets a
    /// [`ProcessSummary`](crate::ProcessSummary).
    pub scoped: bool,
}

impl Options {
    /// How long a count must rise in every window to be called growing (`--growth-for`).
    pub const fn growth_for_ms(&self) -> u64 {
        self.window_ms.saturating_mul(5)
    }

    /// Occurrences within a twelfth of [`idle_ms`](Self::idle_ms) (5 s by default) are one cluster.
    pub(crate) const fn gap_ms(&self) -> u64 {
        self.idle_ms / 12
    }

    /// How long a connection that no rule claims is not asked about again if nothing in the process
    /// can show that it has no reader.
    pub(crate) const fn out_of_sight_ms(&self) -> u64 {
        self.idle_ms.saturating_mul(5)
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
