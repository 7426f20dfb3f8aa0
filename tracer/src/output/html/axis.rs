//! The axes of a chart: positions of times and numbers, and labels.
//!
//! Charts are drawn in tenths of a pixel, so whole numbers are exact enough.

use jiff::{Timestamp, tz::Offset};
use maud::{Markup, html};

use crate::output::quantity::grouped;

/// Width of a chart.
pub(super) const WIDTH: i64 = 7_200;
/// Left edge of the plot: leaves room for six digits in the large font of a small screen.
pub(super) const LEFT: i64 = 800;
/// Right edge of the plot: leaves room for a letter.
pub(super) const RIGHT: i64 = 6_900;
/// Room below a plot for times and their day.
pub(super) const BELOW: i64 = 560;

/// The maximum number of steps, so that labels do not touch in the large font of a small screen.
const STEPS_MAX: i64 = 5;

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// Steps between labels of the time axis, in milliseconds.
const TIME_STEPS: [i64; 24] = [
    SECOND,
    2 * SECOND,
    5 * SECOND,
    10 * SECOND,
    15 * SECOND,
    30 * SECOND,
    MINUTE,
    2 * MINUTE,
    5 * MINUTE,
    10 * MINUTE,
    15 * MINUTE,
    30 * MINUTE,
    HOUR,
    2 * HOUR,
    3 * HOUR,
    6 * HOUR,
    12 * HOUR,
    DAY,
    2 * DAY,
    7 * DAY,
    14 * DAY,
    28 * DAY,
    91 * DAY,
    364 * DAY,
];

/// Wall time from left to right, in UTC.
#[derive(Clone, Copy, Debug)]
pub(super) struct TimeAxis {
    from_ms: i64,
    to_ms: i64,
}

impl TimeAxis {
    /// An axis from one time to another, at least one second later.
    pub(super) fn new(from: Timestamp, to: Timestamp) -> Self {
        let from_ms = from.as_millisecond();
        Self { from_ms, to_ms: to.as_millisecond().max(from_ms + SECOND) }
    }

    /// The position of a time; times outside the axis are at its nearest end.
    pub(super) fn x(&self, at: Timestamp) -> i64 {
        self.place(at.as_millisecond())
    }

    fn place(&self, at_ms: i64) -> i64 {
        let after = i128::from(at_ms.clamp(self.from_ms, self.to_ms) - self.from_ms);
        let offset = after * i128::from(RIGHT - LEFT) / i128::from(self.to_ms - self.from_ms);
        LEFT + i64::try_from(offset).unwrap_or(0)
    }

    fn step_ms(&self) -> i64 {
        let enough = |step: &&i64| (self.to_ms - self.from_ms) / **step <= STEPS_MAX;
        TIME_STEPS.iter().find(enough).copied().unwrap_or((self.to_ms - self.from_ms) / STEPS_MAX)
    }

    /// The labels: positions and times.
    fn ticks(&self) -> Vec<(i64, String)> {
        let step = self.step_ms();
        let first = self.from_ms.div_euclid(step) * step;
        let times = (0..=STEPS_MAX + 1).map(|number| first + number * step);
        let inside = times.filter(|at| (self.from_ms..=self.to_ms).contains(at));
        inside.map(|at| (self.place(at), label(at, step))).collect()
    }

    /// The date or dates, which the labels leave out.
    fn days(&self) -> String {
        let [from, to] = [self.from_ms, self.to_ms].map(|at| format(at, "%Y-%m-%d"));
        if from == to {
            format!("{from}, times in UTC")
        } else {
            format!("{from} to {to}, times in UTC")
        }
    }

    /// The line below a plot that ends at `bottom`, with times.
    pub(super) fn markup(&self, top: i64, bottom: i64) -> Markup {
        html! {
            g.axis {
                @for (x, label) in self.ticks() {
                    path.grid d=(format!("M{x} {top}V{bottom}")) {}
                    text x=(x) y=(bottom + 210) text-anchor="middle" { (label) }
                }
                path.base d=(format!("M{LEFT} {bottom}H{RIGHT}")) {}
                text x=(i64::midpoint(LEFT, RIGHT)) y=(bottom + 470) text-anchor="middle" { (self.days()) }
            }
        }
    }
}

fn label(at_ms: i64, step: i64) -> String {
    let is_midnight = at_ms.rem_euclid(DAY) == 0;
    match step {
        DAY.. => format(at_ms, "%m-%d"),
        MINUTE.. if is_midnight => format(at_ms, "%m-%d"),
        MINUTE.. => format(at_ms, "%H:%M"),
        _ => format(at_ms, "%H:%M:%S"),
    }
}

fn format(at_ms: i64, form: &str) -> String {
    let at = Timestamp::from_millisecond(at_ms).unwrap_or_default();
    Offset::UTC.to_datetime(at).strftime(form).to_string()
}

/// A number from bottom to top, beginning with 0.
#[derive(Clone, Copy, Debug)]
pub(super) struct CountAxis {
    step: u64,
    steps: u64,
    top: i64,
    bottom: i64,
}

impl CountAxis {
    /// An axis with room for numbers up to `max`.
    pub(super) fn new(max: u64, top: i64, bottom: i64) -> Self {
        let max = max.max(1);
        // The smallest of 1, 2 and 5 times a power of ten that requires no more than five steps.
        let steps = (0..19).flat_map(|power| [1, 2, 5].map(|first| first * 10_u64.pow(power)));
        let step = steps.into_iter().find(|step| max.div_ceil(*step) <= 5).unwrap_or(max);
        Self { step, steps: max.div_ceil(step), top, bottom }
    }

    /// The position of a number.
    pub(super) fn y(&self, count: u64) -> i64 {
        let height = i128::from(self.bottom - self.top);
        let whole = i128::from(self.step) * i128::from(self.steps);
        let above = i128::from(count) * height / whole;
        self.bottom - i64::try_from(above).unwrap_or(0).min(self.bottom - self.top)
    }

    /// The horizontal lines and their labels.
    pub(super) fn markup(&self) -> Markup {
        html! {
            g.axis {
                @for number in (0..=self.steps).map(|number| number * self.step) {
                    path.grid d=(format!("M{LEFT} {}H{RIGHT}", self.y(number))) {}
                    text x=(LEFT - 80) y=(self.y(number) + 45) text-anchor="end" {
                        (grouped(number))
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn labels(from: &str, to: &str) -> String {
        let axis = TimeAxis::new(at(from), at(to));
        let ticks = axis.ticks();
        assert!(ticks.len() <= 6, "{ticks:?}");
        ticks.into_iter().map(|(_, label)| label).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn times_are_round_and_name_the_day_where_it_changes() {
        for (from, to, expected) in [
            ("2026-03-01T11:59:57Z", "2026-03-01T12:00:00Z", "11:59:57 11:59:58 11:59:59 12:00:00"),
            ("2026-03-01T11:09:00Z", "2026-03-01T12:00:00Z", "11:10 11:20 11:30 11:40 11:50 12:00"),
            ("2026-03-01T20:00:00Z", "2026-03-02T09:00:00Z", "21:00 03-02 03:00 06:00 09:00"),
            ("2026-03-01T20:00:00Z", "2026-03-04T21:00:00Z", "03-02 03-03 03-04"),
        ] {
            assert_eq!(labels(from, to), expected);
        }
    }

    #[test]
    fn any_two_times_make_an_axis() {
        let (least, most) = (Timestamp::MIN, Timestamp::MAX);
        for (from, to) in [(least, most), (most, least), (least, least)] {
            let axis = TimeAxis::new(from.min(at("9998-01-01T00:00:00Z")), to);
            assert!((LEFT..=RIGHT).contains(&axis.x(at("2026-03-01T00:00:00Z"))));
            assert!(axis.markup(0, 100).into_string().contains("UTC"));
        }
    }

    #[test]
    fn numbers_are_round_and_fit() {
        for (max, step, steps) in [(0, 1, 1), (1, 1, 1), (6, 2, 3), (12, 5, 3), (1_204, 500, 3)] {
            let axis = CountAxis::new(max, 100, 2_100);
            assert_eq!((axis.step, axis.steps), (step, steps), "{max}");
            assert_eq!(axis.y(0), 2_100);
            assert_eq!(axis.y(step * steps), 100);
        }
        assert!((0..=1).contains(&CountAxis::new(u64::MAX, 0, 10).y(u64::MAX)));
    }
}
