//! Rebuilds the kernel object and tests it, so that what is committed is what the sources say.

use std::fs;

use anyhow::{Context, Result, bail};

use super::{cargo_test, end_to_end_test};
use crate::ebpf::{self, toolchain};
use crate::privileges::Access;
use crate::tally::Tally;
use crate::{step, workspace};

/// Rebuilds the object and, unless it is the committed one byte for byte, runs the end-to-end tests
/// with it; `ignored` is the number of those that cannot be run here.
///
/// # Errors
/// If cargo or the workspace's build directory cannot be found.
pub(crate) fn run(access: Result<Access, &str>, ignored: u64) -> Result<Tally> {
    let toolchain = match toolchain::find() {
        Ok(toolchain) => toolchain,
        Err(lack) => return Ok(step::skipped(&format!("{lack:#}"))),
    };
    println!("building with {} ({})", toolchain.name, toolchain.version);
    let rebuilt = ebpf::rebuild(&toolchain, &workspace::target()?.join("ebpf/fresh"));
    let object = match rebuilt {
        Ok(object) => object,
        Err(error) => return Ok(step::checked(Err(error))),
    };
    let mut tally = step::checked(Ok(()));

    let fresh = fs::read(&object).with_context(|| format!("cannot read {}", object.display()))?;
    if fs::read(workspace::object()).is_ok_and(|committed| committed == fresh) {
        println!("identical to the committed object, so there is nothing more to test");
        return Ok(tally);
    }
    match access {
        Ok(access) => {
            println!("differs from the committed object, so the end-to-end tests run again");
            let mut command = end_to_end_test(access)?;
            tally += cargo_test::run(command.env("TRACER_BPF_OBJECT", &object));
            tally += step::checked(was_embedded(&fresh));
        }
        Err(reason) => {
            println!("differs from the committed object; end-to-end tests skipped: {reason}");
            tally += Tally { skipped: ignored, ..Tally::default() };
        }
    }
    Ok(tally)
}

/// Whether the program that was just tested is the one with this object in it.
fn was_embedded(object: &[u8]) -> Result<()> {
    let path = workspace::target()?.join("debug/tracer");
    let program = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    // The program keeps the object aligned, for the loader wants that.
    let mut places = (0..program.len()).step_by(8);
    if !places.any(|place| program[place..].starts_with(object)) {
        bail!("{} does not contain the rebuilt object: it was not tested", path.display());
    }
    Ok(())
}
