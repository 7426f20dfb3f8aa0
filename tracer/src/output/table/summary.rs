//! The summary of an incident report, for a terminal.

use super::{
    footer,
    style::Style,
    text::{Paint, wrap},
};
use crate::output::{
    incident::{self, Incident},
    quantity::plain,
    words,
};

/// The headline, what to do next, and what could be seen.
pub(crate) fn summary(incident: &Incident<'_>, style: Style) -> String {
    let paint = Paint::new(style.color);
    let width = usize::from(style.width);
    let mut lines: Vec<String> = wrap("", &incident.headline(), width);
    for line in &mut lines {
        *line = paint.bold(line);
    }
    lines.extend(wrap("", &incident.lede(words::others_in_replay).join(" "), width));
    lines.push(String::new());
    for (number, step) in (1..).zip(incident::steps(incident)) {
        lines.extend(wrap(&format!("{number}. "), &step, width));
    }
    lines.push(String::new());
    lines.extend(footer::lines(incident.report, incident.context, true, width, paint));
    plain(&lines.join("\n")).replace("\n\n\n", "\n\n")
}
