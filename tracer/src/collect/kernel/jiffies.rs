//! Conversion of jiffies to `CLOCK_MONOTONIC`.
//!
//! The kernel does not expose the number of jiffies per second (`CONFIG_HZ`) reliably, so it is
//! derived from the value of the counter. `sysconf(_SC_CLK_TCK)` is a different number (`USER_HZ`).

use tracer_common::SocketRecord;
use tracer_core::decode;

/// The rates that a kernel can be configured with (`kernel/Kconfig.hz`).
const RATES_HZ: [u32; 4] = [100, 250, 300, 1000];

/// `INITIAL_JIFFIES` makes the low 32 bits overflow this many seconds after boot, so that overflow
/// bugs show early.
const OVERFLOW_AFTER_S: i128 = 300;

const NS_PER_S: i128 = 1_000_000_000;

const NS_PER_MS: u64 = 1_000_000;

/// The rate at which the counter, which starts at boot, has reached `jiffies` at `monotonic_ns`.
///
/// `None` if no rate fits, or if several do, which happens around 300 s of uptime, when the counter
/// of every rate overflows. [`fit_rate`] resolves that.
pub(crate) fn fit(jiffies: u64, monotonic_ns: u64) -> Option<u32> {
    let uptime_ns = i128::from(monotonic_ns);
    // The counter starts slightly later than the clock, and falls behind when ticks are lost.
    let tolerance_ns = 3 * NS_PER_S + uptime_ns / 500;
    only(RATES_HZ.into_iter().filter(|&rate| {
        let ticks = i128::from(jiffies) - (1_i128 << 32) + OVERFLOW_AFTER_S * i128::from(rate);
        (ticks * NS_PER_S / i128::from(rate) - uptime_ns).abs() <= tolerance_ns
    }))
}

/// The rate between two readings of (`jiffies`, nanoseconds of `CLOCK_MONOTONIC`).
///
/// `None` if no rate fits, or if several do because the readings are too close; 50ms is enough.
pub(crate) fn fit_rate(earlier: (u64, u64), later: (u64, u64)) -> Option<u32> {
    let ticks = i128::from(later.0) - i128::from(earlier.0);
    let elapsed_ns = i128::from(later.1) - i128::from(earlier.1);
    only(RATES_HZ.into_iter().filter(|&rate| {
        let expected = elapsed_ns * i128::from(rate);
        // The tolerance is 5%, plus one tick that may or may not have happened at either end.
        (ticks * NS_PER_S - expected).abs() <= expected.abs() / 20 + NS_PER_S
    }))
}

/// How far the counter may be from its expected value before the conversion is adjusted: more than
/// its ordinary delay.
const DRIFT_MAX_NS: u64 = 50_000_000;

/// Aligns `CLOCK_MONOTONIC` readings to ticks, so that a timestamp in jiffies converts to the same
/// time in every snapshot. The two readings of a pair differ by a part of a tick, which varies.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SteadyClock {
    pub(crate) jiffies_per_second: u32,
    /// A pair of readings: jiffies and nanoseconds at the same time.
    reading: Option<(u64, u64)>,
}

impl SteadyClock {
    pub(crate) const fn new(jiffies_per_second: u32) -> Self {
        Self { jiffies_per_second, reading: None }
    }

    /// The record with its time aligned to a tick.
    pub(crate) fn steady(&mut self, record: &SocketRecord) -> SocketRecord {
        let tick_ns = decode::tick_ns(self.jiffies_per_second);
        let expected = self.reading.and_then(|(jiffies, at_ns)| {
            let ticks = record.jiffies.checked_signed_diff(jiffies)?;
            at_ns.checked_add_signed(ticks.checked_mul(tick_ns.try_into().ok()?)?)
        });
        let is_near = |at_ns: &u64| at_ns.abs_diff(record.at_ns) <= DRIFT_MAX_NS;
        let at_ns = expected.filter(is_near).unwrap_or_else(|| {
            // If a tick is a whole number of milliseconds, so is every timestamp.
            let at_ns = record.at_ns - record.at_ns % NS_PER_MS;
            self.reading = Some((record.jiffies, at_ns));
            at_ns
        });
        SocketRecord { at_ns, ..*record }
    }
}

/// The item, if there is exactly one.
fn only(mut items: impl Iterator<Item = u32>) -> Option<u32> {
    let item = items.next()?;
    items.next().is_none().then_some(item)
}

#[cfg(test)]
mod tests {
    use zerocopy::FromZeros as _;

    use super::*;

    #[test]
    fn a_timestamp_is_the_same_in_every_snapshot() {
        for rate in RATES_HZ {
            let mut clock = SteadyClock::new(rate);
            let tick_ns = decode::tick_ns(rate);
            let record = |ticks: u64, late_ns: u64| {
                let mut record = SocketRecord::new_zeroed();
                (record.jiffies, record.at_ns) =
                    (9_000 + ticks, 5_000_000_000 + ticks * tick_ns + late_ns);
                record
            };
            let first = clock.steady(&record(0, 700)).at_ns;
            for (ticks, late_ns) in [(1, 0), (2, tick_ns - 1), (3_600 * u64::from(rate), 5)] {
                assert_eq!(clock.steady(&record(ticks, late_ns)).at_ns, first + ticks * tick_ns);
            }
            // Ticks were lost, and the counter stays behind by that many.
            let behind = record(10, DRIFT_MAX_NS + 2 * tick_ns);
            let again = clock.steady(&behind).at_ns;
            assert!(again <= behind.at_ns && behind.at_ns - again < NS_PER_MS, "{again}");
            let later = clock.steady(&record(11, DRIFT_MAX_NS + 2 * tick_ns + 3)).at_ns;
            assert_eq!(later, again + tick_ns);
        }
    }

    /// The counter of a kernel with this rate.
    fn jiffies_at(uptime_ms: i64, rate: u32) -> u64 {
        let ticks = (uptime_ms - 300_000) * i64::from(rate) / 1000;
        (1_u64 << 32).checked_add_signed(ticks).unwrap()
    }

    fn ns(ms: i64) -> u64 {
        u64::try_from(ms).unwrap() * 1_000_000
    }

    /// Uptimes away from five minutes: seconds, hours, and years.
    const CLEAR_MS: [i64; 10] = [
        1_000,
        10_000,
        60_000,
        200_000,
        260_000,
        340_000,
        600_000,
        86_400_000,
        14 * 86_400_000,
        3 * 365 * 86_400_000,
    ];

    #[test]
    fn fits_every_rate_at_every_clear_uptime() {
        for rate in RATES_HZ {
            for uptime_ms in CLEAR_MS {
                let jiffies = jiffies_at(uptime_ms, rate);
                assert_eq!(fit(jiffies, ns(uptime_ms)), Some(rate), "{rate} Hz, {uptime_ms} ms");
            }
        }
    }

    #[test]
    fn fits_with_a_late_start_and_drift() {
        for rate in RATES_HZ {
            for uptime_ms in CLEAR_MS {
                for drift_per_million in [-1_000, -50, 50, 1_000] {
                    let seen_ms = uptime_ms + uptime_ms / 1_000_000 * drift_per_million - 700;
                    let jiffies = jiffies_at(seen_ms, rate);
                    assert_eq!(
                        fit(jiffies, ns(uptime_ms)),
                        Some(rate),
                        "{rate} Hz, {uptime_ms} ms, drift {drift_per_million}"
                    );
                }
            }
        }
    }

    #[test]
    fn is_never_wrong_around_the_overflow() {
        for rate in RATES_HZ {
            for uptime_ms in (240_000..360_000).step_by(250) {
                let fitted = fit(jiffies_at(uptime_ms, rate), ns(uptime_ms));
                assert!(
                    fitted.is_none_or(|hz| hz == rate),
                    "{rate} Hz, {uptime_ms} ms: {fitted:?}"
                );
            }
            assert_eq!(fit(jiffies_at(300_000, rate), ns(300_000)), None);
        }
    }

    #[test]
    fn two_readings_fit_where_one_is_ambiguous() {
        for rate in RATES_HZ {
            for uptime_ms in [299_900, 300_000, 300_100, 86_400_000] {
                for elapsed_ms in [50, 51, 97, 1_000, 60_000] {
                    let reading = |at_ms| (jiffies_at(at_ms, rate), ns(at_ms));
                    let later = reading(uptime_ms + elapsed_ms);
                    assert_eq!(
                        fit_rate(reading(uptime_ms), later),
                        Some(rate),
                        "{rate} Hz at {uptime_ms} ms over {elapsed_ms} ms"
                    );
                }
            }
        }
    }

    #[test]
    fn impossible_values_fit_no_rate() {
        assert_eq!(fit(0, 0), None);
        assert_eq!(fit(u64::MAX, u64::MAX), None);
        assert_eq!(fit(jiffies_at(86_400_000, 512), ns(86_400_000)), None);
        assert_eq!(fit_rate((5, 5), (5, 5)), None);
        assert_eq!(fit_rate((u64::MAX, u64::MAX), (0, 0)), None);
        assert_eq!(fit_rate((0, 0), (512_000, 1_000_000_000_000)), None);
    }
}
