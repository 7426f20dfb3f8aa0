//! Fill patterns that distinguish areas without color.

use maud::{Markup, html};

/// Number of patterns; the last one is for the sum of all other series.
pub(super) const COUNT: usize = 8;

/// The lines of each on a tile of 80 by 80.
const LINES: [&str; COUNT] = [
    "",
    "M-20 20L20 -20M0 80L80 0M60 100L100 60",
    "M20 30h20v20h-20zM60 70h20v20h-20zM60 -10h20v20h-20z",
    "M0 20H80M0 60H80",
    "M-20 60L20 100M0 0L80 80M60 -20L100 20",
    "M20 0V80M60 0V80",
    "M0 0L80 80M80 0L0 80",
    "M40 30v20M30 40h20",
];

/// The patterns, once for all charts of a page.
pub(super) fn definitions() -> Markup {
    html! {
        svg.definitions width="0" height="0" aria-hidden="true" {
            defs {
                @for (number, lines) in LINES.iter().enumerate() {
                    pattern id=(format!("pattern-{number}")) width="80" height="80"
                        patternUnits="userSpaceOnUse" {
                        rect class=(format!("ground-{number}")) width="80" height="80" {}
                        path.lines d=(lines) {}
                    }
                }
            }
        }
    }
}

/// The `fill` attribute of an area.
pub(super) fn fill(number: usize) -> String {
    format!("url(#pattern-{number})")
}

/// A sample of the pattern, for a legend.
pub(super) fn swatch(number: usize) -> Markup {
    html! {
        svg.swatch viewBox="0 0 240 160" aria-hidden="true" {
            rect.outline x="5" y="5" width="230" height="150" fill=(fill(number)) {}
        }
    }
}
