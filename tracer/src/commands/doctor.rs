//! `tracer doctor`: what this host allows, what each lack costs, and what to do about it.

mod finding;
mod host;
mod permissions;
mod sources;

use anyhow::Result;

use self::finding::{Document, Finding, Health};
use crate::{
    collect::kernel::hooks::Mechanism,
    output::{exit_code, json, options::DocumentFormat, standard_output},
};

/// Examines the host, prints what was found, and gives the exit code: 0 everything is there, 3 it
/// works with less, 2 it does not work.
///
/// # Errors
/// The standard output cannot be written.
pub(crate) fn run(format: DocumentFormat, mechanism: Option<Mechanism>) -> Result<u8> {
    let findings = examine(mechanism);
    let worst = findings.iter().map(|finding| finding.health).max().unwrap_or(Health::Full);
    standard_output::print(|_| match format {
        DocumentFormat::Table => Ok(table(&findings, worst)),
        DocumentFormat::Json => Ok(json::pretty(&Document::new(worst, &findings))?),
    })?;
    Ok(match worst {
        Health::Full => exit_code::CLEAN,
        Health::Degraded => exit_code::INCOMPLETE,
        Health::Unusable => exit_code::FAILED,
    })
}

fn examine(mechanism: Option<Mechanism>) -> Vec<Finding> {
    let mut findings = vec![host::kernel(), host::type_information(), host::processes()];
    findings.extend([host::containers(), host::lockdown()]);
    findings.extend(permissions::all());
    findings.extend(sources::all(mechanism));
    findings
}

fn table(findings: &[Finding], worst: Health) -> String {
    let mut text: String = findings.iter().map(Finding::line).collect();
    text.push_str(match worst {
        Health::Full => "\nEverything works here.\n",
        Health::Degraded => "\ntracer works here, with less: see the lines marked `less`.\n",
        Health::Unusable => "\ntracer cannot work here: see the lines marked `no`.\n",
    });
    text
}

#[cfg(test)]
mod tests;
