//! `cargo xtask vm-test`: the tests on other kernels, each in a virtual machine of its own.

mod archive;
mod boot;
mod image;
mod kernels;
mod machine;
mod packages;
mod protocol;
mod table;

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use clap::Args;

use crate::extent::Extent;
use crate::tally::Tally;
use crate::{build, command, parallel, step, workspace};
use boot::Boot;
use kernels::Kernel;
use machine::{Accelerator, Machine, Output};
use packages::Index;
use table::Row;

/// Number of machines that run at the same time; each keeps one CPU busy.
const AT_A_TIME: usize = 2;

/// Time limit of a machine; a healthy one takes a fifth of it.
const LIMIT: Duration = Duration::from_mins(10);

/// The same for a machine that only boots.
const TRIAL_LIMIT: Duration = Duration::from_secs(20);

/// The required programs and their packages.
const TOOLS: [(&str, &str); 5] = [
    ("qemu-system-x86_64", "qemu-system-x86"),
    ("busybox", "busybox-static"),
    ("xz", "xz-utils"),
    ("apt-get", "apt"),
    ("dpkg-deb", "dpkg"),
];

#[derive(Args)]
pub(crate) struct Arguments {
    /// Only these kernels: 5.10, 6.1, 6.12, 6.18, newest.
    #[arg(long, value_name = "SERIES", value_delimiter = ',')]
    kernel: Vec<String>,
    /// Run only what `cargo xtask test --all` runs: fewer tests and, without --kernel, fewer
    /// kernels.
    #[arg(long)]
    reduced: bool,
}

/// Downloads the kernels, boots each with the tests, and prints a table of the results. A kernel
/// that cannot be downloaded is skipped.
///
/// # Errors
/// If a kernel is named that is not tested, or the workspace's build directory cannot be found.
pub(crate) fn run(arguments: &Arguments) -> Result<Tally> {
    let extent = if arguments.reduced { Extent::Reduced } else { Extent::Whole };
    test_on(&kernels::chosen(&arguments.kernel, extent)?, extent)
}

/// Runs the virtual machines as a step of `cargo xtask test`.
///
/// # Errors
/// If the workspace's build directory cannot be found.
pub(crate) fn test(extent: Extent) -> Result<Tally> {
    test_on(&kernels::chosen(&[], extent)?, extent)
}

fn test_on(series: &[String], extent: Extent) -> Result<Tally> {
    if let Err(missing) = check_tools() {
        return Ok(step::skipped(&format!("{missing:#}")));
    }
    let cache = workspace::target()?.join("vm");
    let index = match Index::fetch(&cache) {
        Ok(index) => index,
        Err(error) => return Ok(step::skipped(&format!("{error:#}"))),
    };
    let mut tally = Tally::default();
    let mut kernels: Vec<Kernel> = Vec::new();
    for series in series {
        match kernels::fetch(&index, series, &cache) {
            // The newest kernel may belong to a series that is also in the list.
            Ok(kernel) if kernels.iter().any(|other| other.release == kernel.release) => {}
            Ok(kernel) => kernels.push(kernel),
            Err(error) => tally += step::skipped(&format!("kernel {series}: {error:#}")),
        }
    }
    if kernels.is_empty() {
        return Ok(tally);
    }
    match boot_all(&kernels, &cache, extent) {
        Ok(booted) => tally += booted,
        Err(error) => tally += step::checked(Err(error)),
    }
    Ok(tally)
}

/// # Errors
/// What is missing, and how to install it.
fn check_tools() -> Result<()> {
    if !cfg!(target_arch = "x86_64") {
        bail!("the kernels are for x86-64, and this host has another architecture");
    }
    let missing = TOOLS.into_iter().filter(|(program, _)| command::find(program).is_none());
    let packages: Vec<&str> = missing.map(|(_, package)| package).collect();
    if !packages.is_empty() {
        bail!(
            "programs that virtual machines need are missing; \
             apt-get install --no-install-recommends {}",
            packages.join(" ")
        );
    }
    Ok(())
}

/// The result of a boot.
struct Booted {
    output: Result<Output>,
    seconds: u64,
}

fn boot_all(kernels: &[Kernel], cache: &Path, extent: Extent) -> Result<Tally> {
    let programs = build::for_system_tests()?;
    let common = image::common(&programs)?;
    let accelerator = accelerator(&kernels[0], &common, cache)?;
    println!("{} kernels, {AT_A_TIME} at a time, with {}", kernels.len(), accelerator.name());

    let mut boots: Vec<(&Kernel, Boot)> =
        kernels.iter().map(|kernel| (kernel, Boot::of_tests(&programs, extent))).collect();
    if let Some(newest) = kernels.last() {
        boots.push((newest, Boot::locked_down(&programs)));
        boots.push((newest, Boot::without_btf(&programs)));
    }
    let directory = |kernel: &Kernel, boot: &Boot| -> PathBuf {
        cache.join("boots").join(format!("{}-{}", kernel.release, boot.name.replace(' ', "-")))
    };
    let booted = parallel::map(&boots, AT_A_TIME, |(kernel, boot)| {
        let start = Instant::now();
        let output = image::own(boot, kernel).and_then(|own| {
            let machine = Machine {
                image: &kernel.image,
                append: boot.append,
                directory: directory(kernel, boot),
                archive: [&common, &own],
                accelerator,
                limit: LIMIT,
            };
            machine.run()
        });
        Booted { output, seconds: start.elapsed().as_secs() }
    });
    Ok(conclude(&boots, &booted))
}

/// Prints the failures, and then the table.
fn conclude(boots: &[(&Kernel, Boot)], booted: &[Booted]) -> Tally {
    let mut rows = Vec::new();
    let mut total = Tally::default();
    for ((kernel, boot), booted) in boots.iter().zip(booted) {
        let (report, complaint) = match &booted.output {
            Ok(output) => (output.report.as_str(), output.complaint.clone()),
            Err(error) => ("", Some(format!("{error:#}"))),
        };
        let complain = |complaint: &str| {
            println!("FAILED on {} ({}): {complaint}", kernel.release, boot.name);
        };
        complaint.as_deref().map(complain);
        for (number, ended) in protocol::parse(report, boot.jobs.len()).iter().enumerate() {
            let job = &boot.jobs[number];
            let result = job.judge(ended);
            result.complaint.as_deref().map(complain);
            total += result.tally;
            rows.push(Row {
                kernel: kernel.release.clone(),
                attach_method: job.attach_method,
                subject: job.subject.to_owned(),
                tally: result.tally,
                seconds: (number == 0).then_some(booted.seconds),
            });
        }
        if complaint.is_some() && total.failed == 0 {
            total += Tally::FAILED;
        }
    }
    println!("\n{}\n{}", table::of(&rows), boot::LEFT_OUT);
    total
}

/// Whether KVM works. Under some hypervisors `/dev/kvm` exists but machines die on their first
/// instructions, so a kernel is booted to find out.
fn accelerator(kernel: &Kernel, common: &[u8], cache: &Path) -> Result<Accelerator> {
    if OpenOptions::new().read(true).write(true).open("/dev/kvm").is_err() {
        return Ok(Accelerator::Emulation);
    }
    let nothing = Boot { name: "trial", append: "", preparation: "", jobs: Vec::new() };
    let own = image::own(&nothing, kernel)?;
    let machine = Machine {
        image: &kernel.image,
        append: "",
        directory: cache.join("boots/trial"),
        archive: [common, &own],
        accelerator: Accelerator::Kvm,
        limit: TRIAL_LIMIT,
    };
    let works = machine.run()?.complaint.is_none();
    Ok(if works { Accelerator::Kvm } else { Accelerator::Emulation })
}
