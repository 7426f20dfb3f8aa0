//! `tracer doctor`: checks of kernel features and privileges: the state of each, what a run without
//! it is missing, and how to fix it.

mod check;
mod host;
mod permissions;
mod sources;

use anyhow::Result;

use self::check::{Check, Document, Health};
use crate::{
    collect::kernel::hooks::AttachFamily,
    output::{exit_code, json, options::DocumentFormat, standard_output::StandardOutput},
};

/// Checks the host, prints the results, and returns the exit code: 0 everything is available, 3
/// tracer runs with restrictions, 2 tracer cannot run.
///
/// # Errors
/// Standard output cannot be written.
pub(crate) fn run(
    format: DocumentFormat,
    attach_family: Option<AttachFamily>,
    output: &StandardOutput,
) -> Result<u8> {
    let checks = checks(attach_family);
    let worst = checks.iter().map(|check| check.health).max().unwrap_or(Health::Full);
    output.print(|style| match format {
        DocumentFormat::Table => Ok(table(&checks, worst, style.width)),
        DocumentFormat::Json => Ok(json::pretty(&Document::new(worst, &checks))?),
    })?;
    Ok(match worst {
        Health::Full => exit_code::CLEAN,
        Health::Degraded => exit_code::INCOMPLETE,
        Health::Unusable => exit_code::FAILED,
    })
}

fn checks(attach_family: Option<AttachFamily>) -> Vec<Check> {
    let mut checks = vec![host::kernel(), host::btf(), host::processes()];
    checks.extend([host::containers(), host::lockdown()]);
    checks.extend(permissions::all());
    checks.extend(sources::all(attach_family));
    checks
}

fn table(checks: &[Check], worst: Health, width: u16) -> String {
    let mut text: String = checks.iter().map(|check| check.lines(width.into())).collect();
    text.push_str(match worst {
        Health::Full => "\nEverything that tracer needs is available.\n",
        Health::Degraded => {
            "\ntracer runs here with restrictions: see the lines marked `degraded`.\n"
        }
        Health::Unusable => "\ntracer cannot run here: see the lines marked `unusable`.\n",
    });
    text
}

#[cfg(test)]
mod tests;
