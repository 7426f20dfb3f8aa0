//! `cargo xtask test`: every test that this host allows, and a summary.

mod browser;
mod cargo_test;
mod cookbook;
mod fresh_object;

use std::process::Command;

use anyhow::Result;
use clap::Args;

use crate::privileges::{self, Access};
use crate::tally::Tally;
use crate::{bench, corpus, ebpf, fuzz, step, vm, workspace};

#[derive(Args)]
pub(crate) struct Arguments {
    /// Leave out the end-to-end tests, which load kernel programs.
    #[arg(long)]
    no_e2e: bool,
    /// Only what takes seconds: no end-to-end tests, no rebuild of the kernel object.
    #[arg(long)]
    fast: bool,
}

/// Runs the tests; a step that fails does not stop the later ones.
///
/// # Errors
/// If cargo or the workspace's build directory cannot be found.
pub(crate) fn run(arguments: &Arguments) -> Result<Tally> {
    let access = if arguments.no_e2e || arguments.fast {
        Err("you asked for it")
    } else {
        privileges::kernel_access()
    };

    step::heading("the committed kernel object belongs to the sources");
    let mut tally = step::checked(ebpf::check());

    step::heading("unit, property, golden and documentation tests");
    let without_root = cargo_test::run(&mut cargo_test());
    tally += Tally { skipped: 0, ..without_root };

    step::heading("the cookbook of docs/csv.md");
    tally += if arguments.fast { step::skipped("you asked for it") } else { cookbook::run()? };

    step::heading("the incident document in a browser");
    tally += if arguments.fast { step::skipped("you asked for it") } else { browser::run()? };

    step::heading("end-to-end tests");
    let committed = end_to_end(access, without_root.skipped)?;
    tally += committed;

    step::heading("the corpus, reduced");
    tally += match access {
        Ok(access) => corpus::reduced(access),
        Err(reason) => step::skipped(reason),
    };

    step::heading("the benchmark, in short: whether it runs");
    tally += match access {
        Ok(access) => bench::short(access),
        Err(reason) => step::skipped(reason),
    };

    step::heading("other kernels, in virtual machines, reduced");
    tally += if arguments.no_e2e || arguments.fast {
        step::skipped("you asked for it")
    } else {
        vm::reduced()?
    };

    step::heading("the parsers of bytes from outside, fuzzed");
    tally +=
        if arguments.fast { step::skipped("you asked for it") } else { fuzz::run(&fuzz::BRIEFLY)? };

    step::heading("the kernel object, rebuilt from source");
    tally += if arguments.fast {
        step::skipped("you asked for it")
    } else {
        fresh_object::run(access, committed.skipped)?
    };
    Ok(tally)
}

/// Runs the `ignored` tests that need to load kernel programs, or says why not.
fn end_to_end(access: Result<Access, &str>, ignored: u64) -> Result<Tally> {
    match access {
        Ok(access) => {
            let tally = cargo_test::run(&mut end_to_end_test(access)?);
            Ok(Tally { skipped: ignored.saturating_sub(tally.ran()), ..tally })
        }
        Err(reason) => {
            println!("skipped {ignored} tests: {reason}");
            Ok(Tally { skipped: ignored, ..Tally::default() })
        }
    }
}

fn cargo_test() -> Command {
    let mut command = Command::new(workspace::cargo());
    command
        .args(["test", "--locked", "--no-fail-fast"])
        .current_dir(workspace::root())
        // The tests are about the committed object, whatever the caller was trying out.
        .env_remove("TRACER_BPF_OBJECT");
    command
}

/// The tests of the program as a whole; two at a time, because each loads programs of its own and
/// the larger ones open thousands of sockets.
///
/// # Errors
/// If cargo does not tell for which host it builds.
fn end_to_end_test(access: Access) -> Result<Command> {
    let mut command = cargo_test();
    // The examples are the other ends of the connections.
    command.args(["--package", "tracer", "--package", "tracer-inspect", "--tests", "--examples"]);
    command.args(["--", "--ignored", "--test-threads=4"]);
    if access == Access::Sudo {
        // Cargo builds as the caller and only the tests run as root.
        let host = workspace::host()?.to_uppercase().replace('-', "_");
        command.env(format!("CARGO_TARGET_{host}_RUNNER"), "sudo -n -E");
    }
    Ok(command)
}
