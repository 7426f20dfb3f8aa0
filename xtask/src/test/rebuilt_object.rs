//! Rebuilds the BPF object from source and tests it, to verify that the committed one matches the
//! sources.

use std::fs;

use anyhow::{Context, Result, bail};

use super::host_tests;
use crate::ebpf::{self, toolchain};
use crate::privileges::Access;
use crate::tally::Tally;
use crate::{step, workspace};

/// Rebuilds the object and, unless it is the committed one byte for byte, runs the tests that load
/// BPF programs with it.
///
/// # Errors
/// If the workspace's build directory cannot be found, or the new object cannot be read.
pub(super) fn run(access: Result<Access, &str>) -> Result<Tally> {
    let toolchain = match toolchain::find() {
        Ok(toolchain) => toolchain,
        Err(missing) => return Ok(step::skipped(&format!("{missing:#}"))),
    };
    println!("building with {} ({})", toolchain.name, toolchain.version);
    let object = match ebpf::rebuild(&toolchain, &workspace::target()?.join("ebpf/fresh")) {
        Ok(object) => object,
        Err(error) => return Ok(step::checked(Err(error))),
    };
    let mut tally = step::checked(Ok(()));

    let fresh = fs::read(&object).with_context(|| format!("cannot read {}", object.display()))?;
    if fs::read(workspace::object()).is_ok_and(|committed| committed == fresh) {
        println!("identical to the committed object, which has been tested");
        return Ok(tally);
    }
    println!("differs from the committed object, so the tests that load it run again");
    tally += host_tests::run_as_root(access, Some(&object));
    tally += step::checked(is_embedded(&fresh));
    Ok(tally)
}

/// Checks that the program that was just tested contains this object.
fn is_embedded(object: &[u8]) -> Result<()> {
    let path = workspace::target()?.join("debug/tracer");
    let program = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    // The program keeps the object aligned, as the loader requires.
    let mut offsets = (0..program.len()).step_by(8);
    if !offsets.any(|offset| program[offset..].starts_with(object)) {
        bail!("{} does not contain the rebuilt object, so it was not tested", path.display());
    }
    Ok(())
}
