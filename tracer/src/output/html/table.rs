//! Tables that become cards on a small screen: there, each cell says what it is.

use maud::{Markup, html};

use crate::output::quantity::counted;

/// What stands in a column.
#[derive(Clone, Copy)]
pub(super) enum Column {
    Text(&'static str),
    Number(&'static str),
    /// What is written in a program.
    Code(&'static str),
}

impl Column {
    const fn heading(self) -> &'static str {
        match self {
            Self::Text(heading) | Self::Number(heading) | Self::Code(heading) => heading,
        }
    }

    const fn class(self) -> &'static str {
        match self {
            Self::Text(_) => "text",
            Self::Number(_) => "number",
            Self::Code(_) => "code",
        }
    }
}

/// A table of at most `rows_max` rows; how many more there are is said with their name.
pub(super) fn table<T>(
    columns: &[Column],
    items: &[T],
    (rows_max, one, many): (usize, &str, &str),
    cells: impl Fn(&T) -> Vec<Markup>,
) -> Markup {
    let omitted = items.len().saturating_sub(rows_max) as u64;
    html! {
        table.cards {
            thead {
                tr {
                    @for column in columns {
                        th.(column.class()) scope="col" { (column.heading()) }
                    }
                }
            }
            tbody {
                @for item in items.iter().take(rows_max) {
                    tr {
                        @for (column, cell) in columns.iter().zip(cells(item)) {
                            td.(column.class()) data-label=(column.heading()) { span { (cell) } }
                        }
                    }
                }
            }
        }
        @if omitted > 0 { p { (counted(omitted, one, many)) " not shown." } }
    }
}
