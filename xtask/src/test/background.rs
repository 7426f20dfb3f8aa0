//! Steps that run in the background while another one waits.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};

use super::plan::Step;
use crate::tally::Tally;
use crate::{step, workspace};

/// Steps that run in a separate process, one after the other. Their output goes to a file, so that
/// it is not mixed with that of the step in the foreground.
pub(super) struct Background {
    child: Child,
    output: PathBuf,
}

impl Background {
    /// Starts the steps, if there are any.
    ///
    /// # Errors
    /// If the process cannot be started.
    pub(super) fn start(steps: &[Step]) -> Result<Option<Self>> {
        if steps.is_empty() {
            return Ok(None);
        }
        let names: Vec<String> = steps.iter().map(|step| step.name()).collect();
        let names = names.join(",");
        let output = workspace::target()?.join(format!("xtask-{names}.log"));
        let file =
            File::create(&output).with_context(|| format!("cannot create {}", output.display()))?;
        // At the lowest priority, because the step in the foreground may depend on time.
        let child = Command::new("nice")
            .args(["-n", "19"])
            .arg(workspace::xtask()?)
            .args(["test", "--in-background", "--only", &names])
            .stdin(Stdio::null())
            .stderr(file.try_clone()?)
            .stdout(file)
            .spawn()
            .context("cannot start nice")?;
        println!("meanwhile in the background: {names}");
        Ok(Some(Self { child, output }))
    }

    /// Waits for the steps, shows their output and returns their results.
    ///
    /// # Errors
    /// If the process cannot be waited for.
    pub(super) fn finish(mut self) -> Result<Tally> {
        let status = self.child.wait().context("cannot wait for the steps in the background")?;
        let output = fs::read_to_string(&self.output)
            .with_context(|| format!("cannot read {}", self.output.display()))?;
        print!("{output}");
        let summary = output.lines().rev().find_map(Tally::parse_summary);
        Ok(summary.unwrap_or_else(|| {
            let error = anyhow::anyhow!("the steps in the background exited with {status}");
            step::checked(Err(error))
        }))
    }
}
