//! The incident report as one self-contained HTML page: no script, no network, no other file.
//!
//! Text that the host chose is escaped twice: by [`escape`](super::escape), then by the template.

mod axis;
mod call_sites;
mod coverage;
mod finding;
mod forecast;
mod limits;
mod over_time;
mod overview;
mod pattern;
mod reproduce;
mod stack;
mod table;
mod text;
mod timeline;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::{
    incident::{self, Incident},
    words,
};
use text::{FINDINGS_MAX, visible};

/// Colors, light and dark, on the screen and on paper.
const STYLE: &str = include_str!("html/style.css");

/// Forbids the page from loading, running or sending anything.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";

/// Renders the page.
pub(crate) fn page(incident: &Incident<'_>) -> String {
    let headline = incident.headline();
    let markup = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="referrer" content="no-referrer";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (headline) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                (pattern::definitions())
                main { (content(incident, &headline)) }
            }
        }
    };
    let mut page = markup.into_string();
    page.push('\n');
    page
}

fn content(incident: &Incident<'_>, headline: &str) -> Markup {
    html! {
        header {
            p.kicker { (origin(incident)) }
            h1 { (headline) }
            @if let lede = incident.lede(words::others_below) && !lede.is_empty() {
                p.lede { (lede.join(" ")) }
            }
        }
        section {
            h2 { "Next steps" }
            ol { @for step in incident::steps(incident) { li { (step) } } }
        }
        (overview::section(incident))
        (over_time::section(incident))
        @for row in incident.leak_rows().iter().take(FINDINGS_MAX) {
            (finding::section(incident, row))
        }
        (call_sites::section(incident))
        (limits::section(incident))
        (overview::retracted(incident))
        (coverage::section(incident))
        (reproduce::section(incident))
    }
}

/// `Incident report: web1, Linux 6.18.0-amd64, 2026-03-01 12:00:03 UTC`.
fn origin(incident: &Incident<'_>) -> String {
    let context = incident.context;
    format!(
        "Incident report: {}, Linux {}, {}",
        visible(&context.host),
        visible(&context.kernel),
        incident.time(0)
    )
}

#[cfg(test)]
mod tests;
