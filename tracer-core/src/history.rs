//! The history of a count while it was watched.

use alloc::collections::VecDeque;

use crate::Timestamp;

/// The maximum number of windows kept.
const WINDOWS_MAX: usize = 12;
/// The minimum time to measure a growth rate, in milliseconds.
const WATCHED_MIN_MS: u64 = 60_000;

/// The lowest counts of the latest time windows. The size of a history in memory is constant.
#[derive(Clone, Debug, Default)]
pub(crate) struct History {
    windows: VecDeque<Window>,
}

#[derive(Clone, Copy, Debug)]
struct Window {
    started_at: Timestamp,
    /// The count when the window started.
    first: usize,
    /// The lowest count in the window: what remains after connections were closed or garbage
    /// collected.
    lowest: usize,
    /// When the oldest connection was opened.
    oldest: Timestamp,
}

impl History {
    /// Records the count at `now`.
    pub(crate) fn observe(
        &mut self,
        now: Timestamp,
        count: usize,
        oldest: Timestamp,
        window_ms: u64,
    ) {
        match self.windows.back_mut() {
            Some(window) if now.ms_since(window.started_at) < window_ms => {
                window.lowest = window.lowest.min(count);
                window.oldest = oldest;
            }
            _ => {
                if self.windows.len() == WINDOWS_MAX {
                    self.windows.pop_front();
                }
                let window = Window { started_at: now, first: count, lowest: count, oldest };
                self.windows.push_back(window);
            }
        }
    }

    /// The lowest counts of the first and the last of the latest `windows` complete windows, if the
    /// lowest count rose in each and the oldest connection was never replaced by a younger one.
    pub(crate) fn rise(&self, windows: usize) -> Option<(usize, usize)> {
        // The last window is incomplete, and a rise over five windows compares six.
        let complete = self.windows.len().checked_sub(1)?;
        let first = complete.checked_sub(windows + 1)?;
        let compared = || self.windows.range(first..complete);
        let rises = compared().zip(compared().skip(1)).all(|(earlier, later)| {
            later.lowest > earlier.lowest && later.oldest <= earlier.oldest
        });
        let (first, last) = (compared().next()?, compared().last()?);
        rises.then_some((first.lowest, last.lowest))
    }

    /// The growth of the count per minute, in thousandths; `None` if it was watched for less than a
    /// minute.
    pub(crate) fn per_min_milli(&self, now: Timestamp, count: usize) -> Option<i64> {
        let first = self.windows.front()?;
        let watched_ms = now.ms_since(first.started_at);
        (watched_ms >= WATCHED_MIN_MS).then(|| rate_milli(first.first, count, watched_ms))
    }
}

/// The rate from `before` to `after`, in thousandths per minute.
pub(crate) fn rate_milli(before: usize, after: usize, elapsed_ms: u64) -> i64 {
    let change = i128::try_from(after).unwrap_or(i128::MAX / 2)
        - i128::try_from(before).unwrap_or(i128::MAX / 2);
    let rate = change.saturating_mul(60_000_000) / i128::from(elapsed_ms.max(1));
    i64::try_from(rate).unwrap_or(if rate < 0 { i64::MIN } else { i64::MAX })
}
