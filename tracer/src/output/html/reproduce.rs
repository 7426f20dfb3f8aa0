//! Where the document is from, and how to make it again.

use maud::{Markup, html};

use super::text::visible;
use crate::output::incident::{self, Incident};
use crate::output::quantity;

pub(super) fn section(incident: &Incident<'_>) -> Markup {
    let from = &incident.provenance;
    let again = incident::command_line(&from.arguments);
    let options = &from.options;
    html! {
        section {
            h2 { "How to make this again" }
            dl.commands {
                (command("It was recorded with", &format!("tracer {}", incident::command_line(&from.recorded_with))))
                (command("This document", &format!("tracer report {again} --html OUT.html")))
                (command("The same as a table, with every finding", &format!("tracer replay {again}")))
                (command("For scripts", &format!("tracer replay {again} -o json")))
                (command("After the fix", &from.comparison()))
            }
            p {
                "A connection counts when it was silent for "
                (quantity::duration_ms(options.idle_ms)) " (--idle), and it takes "
                (options.count_min) " alike to be more than possible (--min-count). All times are in UTC. Recorded by tracer "
                (visible(&from.recorder)) " on " (visible(&incident.context.host))
                ", written by tracer " (incident.context.version) "."
            }
        }
    }
}

fn command(name: &str, command: &str) -> Markup {
    html! { div { dt { (name) } dd { code { (command) } } } }
}
