//! A stacked area chart.

use jiff::Timestamp;
use maud::{Markup, html};

use super::{
    axis::{BELOW, CountAxis, RIGHT, TimeAxis, WIDTH},
    pattern,
};
use crate::output::quantity::grouped;

const TOP: i64 = 120;
const BOTTOM: i64 = 2_200;
const HEIGHT: i64 = BOTTOM + BELOW;

/// Minimum height of an area at its right end for its letter.
const LETTER_MIN: i64 = 170;

/// One area.
pub(super) struct Series {
    /// The name of the series, escaped.
    pub(super) name: String,
    /// Number of its pattern.
    pub(super) pattern: usize,
    /// The height of the series at each time.
    pub(super) values: Vec<u64>,
}

/// The contents of a chart.
pub(super) struct Stack<'a> {
    /// The identifier of the chart, unique on the page.
    pub(super) id: &'a str,
    pub(super) title: &'a str,
    /// What the areas are; the heading of the legend.
    pub(super) of: &'a str,
    /// The times of the values: as many as each series has values.
    pub(super) times: &'a [Timestamp],
    /// The lowest area first.
    pub(super) series: &'a [Series],
}

impl Stack<'_> {
    /// The chart, and below it the legend with numbers, the uppermost area first.
    pub(super) fn markup(&self) -> Markup {
        let totals = self.levels(self.series.len());
        html! {
            figure {
                figcaption { (self.title) }
                @if let [first, .., last] = self.times {
                    (self.chart(TimeAxis::new(*first, *last), &totals))
                }
                (self.legend(&totals))
            }
        }
    }

    /// The upper edge of the lowest `count` series.
    fn levels(&self, count: usize) -> Vec<u64> {
        let below = || self.series.iter().take(count);
        (0..self.times.len())
            .map(|index| below().filter_map(|series| series.values.get(index)).sum())
            .collect()
    }

    fn chart(&self, times: TimeAxis, totals: &[u64]) -> Markup {
        let counts = CountAxis::new(totals.iter().copied().max().unwrap_or(0), TOP, BOTTOM);
        let (title, text) = (format!("{}-title", self.id), format!("{}-text", self.id));
        html! {
            svg.chart viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) role="img"
                aria-labelledby=(format!("{title} {text}")) {
                title id=(title) { (self.title) }
                desc id=(text) { (description(totals)) }
                (counts.markup())
                (times.markup(TOP, BOTTOM))
                @for (index, series) in self.series.iter().enumerate() {
                    @let (lower, upper) = (self.levels(index), self.levels(index + 1));
                    path.area fill=(pattern::fill(series.pattern))
                        d=(self.outline(&times, &counts, &lower, &upper)) {}
                }
                @for (index, series) in self.series.iter().enumerate() {
                    (self.letter(index, series, &counts))
                }
            }
        }
    }

    /// The area between two levels, which are constant between snapshots.
    fn outline(
        &self,
        times: &TimeAxis,
        counts: &CountAxis,
        lower: &[u64],
        upper: &[u64],
    ) -> String {
        let points = |levels: &[u64]| -> Vec<(i64, i64)> {
            let places = self.times.iter().map(|at| times.x(*at));
            places.zip(levels.iter().map(|level| counts.y(*level))).collect()
        };
        let (upper, lower) = (points(upper), points(lower));
        let (Some(first), Some(last)) = (upper.first(), upper.last()) else {
            return String::new();
        };
        // Forward along the upper edge, where a level lasts until the next snapshot, and back along
        // the lower one.
        let mut path = format!("M{} {}", first.0, first.1);
        let mut level = first.1;
        for (x, y) in &upper {
            if *y != level {
                path.extend([format!("H{x}V{y}")]);
                level = *y;
            }
        }
        path.extend([format!("H{}", last.0)]);
        let mut later = last.0;
        for (x, y) in lower.iter().rev() {
            if *y != level {
                path.extend([format!("H{later}V{y}")]);
                level = *y;
            }
            later = *x;
        }
        path.extend([format!("H{}Z", first.0)]);
        path
    }

    /// The letter of a series next to its end.
    fn letter(&self, index: usize, series: &Series, counts: &CountAxis) -> Markup {
        let end = |count: usize| {
            let below = self.series.iter().take(count);
            counts.y(below.filter_map(|series| series.values.last()).sum())
        };
        let (lower, upper) = (end(index), end(index + 1));
        let is_there = lower - upper >= LETTER_MIN && series.values.last().is_some();
        html! {
            @if is_there {
                text.letter x=(RIGHT + 60) y=(i64::midpoint(lower, upper) + 45) {
                    (self.letter_of(index))
                }
            }
        }
    }

    /// `A` for the highest.
    fn letter_of(&self, index: usize) -> char {
        let from_top = self.series.len().saturating_sub(index + 1);
        ('A'..='Z').nth(from_top).unwrap_or('?')
    }

    fn legend(&self, totals: &[u64]) -> Markup {
        html! {
            table.legend {
                thead { tr {
                    th scope="col" colspan="2" { (self.of) }
                    th.number scope="col" { "first" }
                    th.number scope="col" { "peak" }
                    th.number scope="col" { "last" }
                } }
                tbody {
                    @for (index, series) in self.series.iter().enumerate().rev() {
                        tr {
                            td.key { (self.letter_of(index)) " " (pattern::swatch(series.pattern)) }
                            td { (series.name) }
                            (numbers(&series.values))
                        }
                    }
                    @if self.series.len() > 1 {
                        tr.total { td {} td { "all" } (numbers(totals)) }
                    }
                }
            }
        }
    }
}

/// The description for screen readers.
fn description(totals: &[u64]) -> String {
    let (first, last) = (totals.first().unwrap_or(&0), totals.last().unwrap_or(&0));
    let peak = totals.iter().max().unwrap_or(&0);
    format!(
        "From {} at the beginning to {} at the end, peak {}; the table below has the series.",
        grouped(*first),
        grouped(*last),
        grouped(*peak)
    )
}

fn numbers(values: &[u64]) -> Markup {
    let peak = values.iter().max();
    html! {
        @for value in [values.first(), peak, values.last()] {
            td.number { (grouped(*value.unwrap_or(&0))) }
        }
    }
}
