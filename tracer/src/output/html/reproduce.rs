//! The origin of the report, and how to create it again.

use maud::{Markup, html};

use super::text::visible;
use crate::{
    output::{
        incident::{self, Incident},
        words,
    },
    program,
};

pub(super) fn section(incident: &Incident<'_>) -> Markup {
    let tracer = program::name();
    let from = &incident.provenance;
    let again = incident::command_line(&from.arguments);
    let options = &from.options;
    html! {
        section {
            h2 { "How to reproduce this report" }
            dl.commands {
                (command("Recorded with", &format!("{tracer} {}", incident::command_line(&from.recorded_with))))
                (command("This report", &format!("{tracer} report {again} --html OUT.html")))
                (command("All findings as a table", &format!("{tracer} replay {again} --show info")))
                (command("As JSON", &format!("{tracer} replay {again} -o json")))
                (command("After the fix", &from.comparison()))
            }
            p {
                "Thresholds: " (words::thresholds(options)) ". All times are in UTC. Recorded by tracer "
                (visible(&from.recorder)) " on " (visible(&incident.context.host))
                ", written by tracer " (incident.context.version) "."
            }
        }
    }
}

fn command(name: &str, command: &str) -> Markup {
    html! { div { dt { (name) } dd { code { (command) } } } }
}
