//! The connections without a finding, for `--all`.

use tracer_core::{Connection, Owner};

use super::{
    grid::{Column, Grid, LayoutStep, Shrink},
    text::Paint,
};
use crate::output::{escape, quantity};

const ESSENTIAL: [&str; 5] = ["PID", "COMM", "FD", "REMOTE", "STATE"];

const STEPS: [LayoutStep; 8] = [
    LayoutStep::Widen("REMOTE"),
    LayoutStep::Widen("COMM"),
    LayoutStep::Add("IDLE"),
    LayoutStep::Add("LOCAL"),
    LayoutStep::Widen("LOCAL"),
    LayoutStep::Add("AGE"),
    LayoutStep::Widen("STATE"),
    LayoutStep::Add("UNREAD"),
];

/// A heading, the table's heading and one line per connection; nothing if there are none.
pub(super) fn lines(connections: &[Connection], width: usize, paint: Paint) -> Vec<String> {
    if connections.is_empty() {
        return Vec::new();
    }
    let grid = Grid::new(columns(connections), &ESSENTIAL, &STEPS, width);
    let count = connections.len() as u64;
    let title = quantity::counted(count, "connection", "connections");
    let mut lines = vec![format!("{title} without a finding:")];
    lines.extend(grid.lines);
    if let Some(heading) = lines.get_mut(1) {
        *heading = paint.bold(heading);
    }
    lines
}

fn columns(connections: &[Connection]) -> Vec<Column> {
    let owned = |cell: fn(&Owner) -> String| {
        move |connection: &Connection| connection.owners.first().map_or("-".to_owned(), cell)
    };
    let states = column("STATE", connections, |it| it.state.to_string());
    let short_states = states.cells.iter().map(|cell| cell.replace("ESTABLISHED", "ESTAB"));
    let short_states = Shrink::To(short_states.collect());
    vec![
        Column {
            is_number: true,
            ..column("PID", connections, owned(|owner| owner.key.pid.to_string()))
        },
        Column {
            shrink: Shrink::End(8),
            ..column(
                "COMM",
                connections,
                owned(|owner| escape::visible(&owner.comm.0).into_owned()),
            )
        },
        Column {
            is_number: true,
            ..column("FD", connections, owned(|owner| owner.fd.to_string()))
        },
        Column {
            shrink: Shrink::Middle(21),
            ..column("LOCAL", connections, |it| it.local.to_string())
        },
        Column {
            shrink: Shrink::Middle(21),
            ..column("REMOTE", connections, |it| it.remote.to_string())
        },
        Column { shrink: short_states, ..states },
        Column {
            is_number: true,
            ..column("AGE", connections, |it| quantity::age_ms(it.age_ms, it.age_is_lower_bound))
        },
        Column {
            is_number: true,
            ..column("IDLE", connections, |it| quantity::duration_ms(it.idle_ms))
        },
        Column {
            is_number: true,
            ..column("UNREAD", connections, |it| quantity::bytes(it.unread_bytes))
        },
    ]
}

fn column(
    heading: &'static str,
    connections: &[Connection],
    cell: impl Fn(&Connection) -> String,
) -> Column {
    let cells = connections.iter().map(cell).collect();
    Column { heading, cells, is_number: false, shrink: Shrink::Never }
}
