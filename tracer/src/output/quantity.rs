//! Numbers with their units: for people, one formatter each for counts, durations, sizes and rates;
//! for exports, exact decimals.

use std::fmt;

use serde::{Serialize, Serializer};
use tracer_core::DurationRange;

/// Keeps a number and its unit on one line. [`plain`] replaces it in output without line breaks.
const NO_BREAK_SPACE: char = '\u{a0}';

/// The text with ordinary spaces only.
pub(crate) fn plain(text: &str) -> String {
    text.replace(NO_BREAK_SPACE, " ")
}

/// A number in thousandths, written as a whole number if possible, else with at most three
/// decimals: seconds from milliseconds, connections per minute from thousandths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Thousandths(i64);

impl Thousandths {
    /// Seconds.
    pub(crate) fn from_ms(milliseconds: u64) -> Self {
        Self(i64::try_from(milliseconds).unwrap_or(i64::MAX))
    }

    /// Any number that is counted in thousandths.
    pub(crate) const fn from_milli(thousandths: i64) -> Self {
        Self(thousandths)
    }
}

impl fmt::Display for Thousandths {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let (whole, rest) = (self.0.unsigned_abs() / 1_000, self.0.unsigned_abs() % 1_000);
        if rest == 0 {
            return write!(formatter, "{sign}{whole}");
        }
        write!(formatter, "{sign}{whole}.{}", format!("{rest:03}").trim_end_matches('0'))
    }
}

impl Serialize for Thousandths {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0 % 1_000 == 0 {
            return serializer.serialize_i64(self.0 / 1_000);
        }
        // Up to 15 digits, the nearest double prints as the original decimal; 15 digits of
        // milliseconds are 31,000 years.
        #[expect(clippy::cast_precision_loss, reason = "see above")]
        serializer.serialize_f64(self.0 as f64 / 1_000.0)
    }
}

/// `1,204`: groups of three digits.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.char_indices() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// `1 connection`, `1,204 connections`; no line is broken between number and noun.
pub(crate) fn counted(number: u64, one: &str, many: &str) -> String {
    format!("{}{NO_BREAK_SPACE}{}", grouped(number), if number == 1 { one } else { many })
}

/// A duration in at most two units: `340ms`, `12s`, `1m 40s`, `2h 5m`, `3d 4h`, `120d`.
pub(crate) fn duration_ms(milliseconds: u64) -> String {
    match milliseconds {
        1..1_000 => format!("{milliseconds}ms"),
        _ => duration_s(milliseconds / 1_000),
    }
}

/// An exact duration as the value of an option, in one unit as the documentation writes it: `60s`,
/// `5m`, `1500ms`.
pub(crate) fn argument(milliseconds: u64) -> String {
    const SECOND: u64 = 1_000;
    const MINUTE: u64 = 60 * SECOND;
    const HOUR: u64 = 60 * MINUTE;
    // One minute is 60s and one hour 60m: as in the defaults and in the help.
    for (unit, name) in [(HOUR, "h"), (MINUTE, "m")] {
        if milliseconds.is_multiple_of(unit) && milliseconds > unit {
            return format!("{}{name}", milliseconds / unit);
        }
    }
    if milliseconds.is_multiple_of(SECOND) {
        return format!("{}s", milliseconds / SECOND);
    }
    format!("{milliseconds}ms")
}

/// An exact size as the value of an option: `4KiB`, `1000`.
pub(crate) fn size_argument(bytes: u64) -> String {
    for (unit, name) in [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")] {
        if bytes.is_multiple_of(unit) && bytes > 0 {
            return format!("{}{name}", bytes / unit);
        }
    }
    bytes.to_string()
}

/// Like [`duration_ms`], for seconds.
pub(crate) fn duration_s(seconds: u64) -> String {
    const MINUTE: u64 = 60;
    const HOUR: u64 = 60 * MINUTE;
    const DAY: u64 = 24 * HOUR;
    let two = |(large, large_unit): (u64, char), (small, small_unit): (u64, char)| {
        if small == 0 {
            format!("{large}{large_unit}")
        } else {
            format!("{large}{large_unit}{NO_BREAK_SPACE}{small}{small_unit}")
        }
    };
    if seconds < MINUTE {
        format!("{seconds}s")
    } else if seconds < HOUR {
        two((seconds / MINUTE, 'm'), (seconds % MINUTE, 's'))
    } else if seconds < DAY {
        two((seconds / HOUR, 'h'), (seconds % HOUR / MINUTE, 'm'))
    } else if seconds < 10 * DAY {
        two((seconds / DAY, 'd'), (seconds % DAY / HOUR, 'h'))
    } else {
        format!("{}d", grouped(seconds / DAY))
    }
}

/// A predicted time: like [`duration_s`], but without the smaller unit if there are ten or more of
/// the larger one: `9h 15m`, `22h`. Rounded down.
pub(crate) fn prediction_s(seconds: u64) -> String {
    const MINUTE: u64 = 60;
    const HOUR: u64 = 60 * MINUTE;
    const DAY: u64 = 24 * HOUR;
    let unit = [DAY, HOUR, MINUTE].into_iter().find(|unit| seconds >= *unit).unwrap_or(1);
    let rounded = if seconds / unit >= 10 { seconds / unit * unit } else { seconds };
    duration_s(rounded)
}

/// The shortest and the longest of several durations: `5s to 40s`, or `5s` if they read the same.
pub(crate) fn range(DurationRange { min_ms, max_ms }: DurationRange) -> String {
    let (min, max) = (duration_ms(min_ms), duration_ms(max_ms));
    if min == max { min } else { format!("{min} to {max}") }
}

/// An age, with `>` in front if it is only a lower bound.
pub(crate) fn age_ms(milliseconds: u64, is_lower_bound: bool) -> String {
    format!("{}{}", if is_lower_bound { ">" } else { "" }, duration_ms(milliseconds))
}

/// A rate in the smallest unit of time in which it is at least one: `+23/min`, `+1.5/h`, `-2/day`;
/// with `~` in front if it was estimated from past events, not measured; `-` if unknown.
pub(crate) fn growth(per_min_milli: Option<i64>, is_reconstructed: bool) -> String {
    let Some(per_min_milli) = per_min_milli else { return "-".to_owned() };
    let magnitude = per_min_milli.unsigned_abs();
    let (amount_milli, unit) = match magnitude {
        0 | 1_000.. => (magnitude, "min"),
        17.. => (magnitude * 60, "h"),
        _ => (magnitude * 1_440, "day"),
    };
    let sign = match per_min_milli {
        ..0 => "-",
        0 => "",
        1.. => "+",
    };
    let approximately = if is_reconstructed { "~" } else { "" };
    format!("{approximately}{sign}{}/{unit}", rounded_milli(amount_milli))
}

/// `12.3 KiB`.
pub(crate) fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if bytes < 1_024 {
        return format!("{bytes}{NO_BREAK_SPACE}B");
    }
    let exponent = bytes.ilog2() / 10;
    let unit = UNITS[exponent as usize - 1];
    let amount_milli = (u128::from(bytes) * 1_000) >> (10 * exponent);
    let amount = rounded_milli(u64::try_from(amount_milli).unwrap_or(u64::MAX));
    format!("{amount}{NO_BREAK_SPACE}{unit}")
}

/// Thousandths with one decimal below ten and none above.
fn rounded_milli(thousandths: u64) -> String {
    let tenths = thousandths.saturating_add(50) / 100;
    if tenths >= 100 || tenths.is_multiple_of(10) {
        grouped(thousandths.saturating_add(500) / 1_000)
    } else {
        format!("{}.{}", tenths / 10, tenths % 10)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousandths_are_exact_and_short() {
        for (milli, text) in [
            (0, "0"),
            (1, "0.001"),
            (50, "0.05"),
            (1_500, "1.5"),
            (3_000, "3"),
            (-1_250, "-1.25"),
            (-7, "-0.007"),
            (31_536_000_001, "31536000.001"),
        ] {
            assert_eq!(Thousandths(milli).to_string(), text);
            assert_eq!(serde_json::to_string(&Thousandths(milli)).unwrap(), text);
        }
    }

    #[test]
    fn digits_are_grouped_by_three() {
        for (number, text) in
            [(0, "0"), (999, "999"), (1_204, "1,204"), (65_536, "65,536"), (1_000_000, "1,000,000")]
        {
            assert_eq!(plain(&grouped(number)), text);
        }
    }

    #[test]
    fn durations_keep_two_units_at_most() {
        for (seconds, text) in [
            (0, "0s"),
            (59, "59s"),
            (60, "1m"),
            (100, "1m 40s"),
            (3_119, "51m 59s"),
            (3_600, "1h"),
            (7_500, "2h 5m"),
            (36_000, "10h"),
            (167_000, "1d 22h"),
            (273_600, "3d 4h"),
            (259_200, "3d"),
            (864_000, "10d"),
            (86_400_000, "1,000d"),
        ] {
            assert_eq!(plain(&duration_s(seconds)), text);
        }
        for (seconds, text) in
            [(9, "9s"), (590, "9m 50s"), (39_840, "11h"), (35_999, "9h 59m"), (167_000, "1d 22h")]
        {
            assert_eq!(plain(&prediction_s(seconds)), text);
        }
        assert_eq!(age_ms(3_119_999, true), ">51m\u{a0}59s");
        assert_eq!(duration_ms(340), "340ms");
        assert_eq!(duration_ms(0), "0s");
        assert_eq!(argument(60_000), "60s");
        assert_eq!(argument(100_000), "100s");
        assert_eq!(argument(180_000), "3m");
        assert_eq!(argument(1_500), "1500ms");
        assert_eq!(argument(5_400_000), "90m");
        assert_eq!(argument(86_400_000), "24h");
        assert_eq!(argument(0), "0s");
        assert_eq!(size_argument(0), "0");
        assert_eq!(size_argument(1_000), "1000");
        assert_eq!(size_argument(4_096), "4KiB");
        assert_eq!(size_argument(1 << 30), "1GiB");
    }

    #[test]
    fn a_range_of_equal_durations_is_one_duration() {
        for (min_ms, max_ms, text) in
            [(5_000, 40_000, "5s to 40s"), (60_000, 100_000, "1m to 1m 40s"), (5_000, 5_900, "5s")]
        {
            assert_eq!(plain(&range(DurationRange { min_ms, max_ms })), text);
        }
    }

    #[test]
    fn growth_is_in_a_unit_in_which_it_is_at_least_one() {
        for (per_min_milli, text) in [
            (23_000, "+23/min"),
            (1_500, "+1.5/min"),
            (400, "+24/h"),
            (20, "+1.2/h"),
            (2, "+2.9/day"),
            (0, "0/min"),
            (-3_000, "-3/min"),
            (1_204_400, "+1,204/min"),
        ] {
            assert_eq!(plain(&growth(Some(per_min_milli), false)), text);
        }
        assert_eq!(growth(Some(23_000), true), "~+23/min");
        assert_eq!(growth(None, true), "-");
    }

    #[test]
    fn sizes_are_in_binary_units() {
        for (count, text) in [
            (0, "0 B"),
            (1_023, "1023 B"),
            (1_024, "1 KiB"),
            (1_536, "1.5 KiB"),
            (10_500_000, "10 MiB"),
            (u64::MAX, "16 EiB"),
        ] {
            assert_eq!(plain(&bytes(count)), text);
        }
    }
}
