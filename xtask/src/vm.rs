//! `cargo xtask vm-test`: the tests on other kernels, each in a virtual machine of its own.

mod archive;
mod boot;
mod image;
mod kernels;
mod machine;
mod packages;
mod programs;
mod protocol;
mod table;

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::PoisonError;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use clap::Args;

use crate::tally::Tally;
use crate::{command, step, workspace};
use boot::{Boot, Extent};
use kernels::Kernel;
use machine::{Accelerator, Machine, Output};
use packages::Index;
use table::Row;

/// Machines at a time: each keeps one processor busy.
const MACHINES: usize = 2;

/// Longest life of a machine; a healthy one takes a fifth of it.
const LIMIT: Duration = Duration::from_mins(10);

/// Longest wait for a machine that only has to come up.
const LIMIT_OF_TRIAL: Duration = Duration::from_secs(20);

/// Programs that are needed, with the packages that have them.
const TOOLS: [(&str, &str); 5] = [
    ("qemu-system-x86_64", "qemu-system-x86"),
    ("busybox", "busybox-static"),
    ("xz", "xz-utils"),
    ("apt-get", "apt"),
    ("dpkg-deb", "dpkg"),
];

#[derive(Args)]
pub(crate) struct Arguments {
    /// Only these kernels, of 5.10, 6.1, 6.12, 6.18 and newest.
    #[arg(long, value_name = "SERIES", value_delimiter = ',')]
    kernel: Vec<String>,
    /// Only what `cargo xtask test` runs: fewer tests, and without --kernel fewer kernels.
    #[arg(long)]
    reduced: bool,
}

/// Fetches the kernels, boots each with the tests, and shows what became of them. A kernel that
/// cannot be had is skipped.
///
/// # Errors
/// The user named a kernel that is none, or the workspace's build directory cannot be told.
pub(crate) fn run(arguments: &Arguments) -> Result<Tally> {
    let extent = if arguments.reduced { Extent::Reduced } else { Extent::Full };
    test_on(&kernels::chosen(&arguments.kernel, extent)?, extent)
}

/// What `cargo xtask test` runs.
///
/// # Errors
/// The workspace's build directory cannot be told.
pub(crate) fn reduced() -> Result<Tally> {
    test_on(&kernels::chosen(&[], Extent::Reduced)?, Extent::Reduced)
}

fn test_on(series: &[String], extent: Extent) -> Result<Tally> {
    if let Err(lack) = tools() {
        return Ok(step::skipped(&format!("{lack:#}")));
    }
    let cache = workspace::target()?.join("vm");
    let index = match Index::fetch(&cache) {
        Ok(index) => index,
        Err(lack) => return Ok(step::skipped(&format!("{lack:#}"))),
    };
    let mut tally = Tally::default();
    let mut kernels: Vec<Kernel> = Vec::new();
    for series in series {
        match kernels::fetch(&index, series, &cache) {
            // The newest may be of a series that was named, too.
            Ok(kernel) if kernels.iter().any(|other| other.release == kernel.release) => {}
            Ok(kernel) => kernels.push(kernel),
            Err(lack) => tally += step::skipped(&format!("kernel {series}: {lack:#}")),
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
/// What is missing, and how to get it.
fn tools() -> Result<()> {
    if !cfg!(target_arch = "x86_64") {
        bail!("the kernels are fetched for x86-64, and this host is another");
    }
    let missing = TOOLS.into_iter().filter(|(program, _)| command::find(program).is_none());
    let packages: Vec<&str> = missing.map(|(_, package)| package).collect();
    if !packages.is_empty() {
        bail!(
            "machines need programs that are missing; \
             apt-get install --no-install-recommends {}",
            packages.join(" ")
        );
    }
    Ok(())
}

/// A boot of a kernel, and what came of it.
struct Booted {
    output: Result<Output>,
    seconds: u64,
}

fn boot_all(kernels: &[Kernel], cache: &Path, extent: Extent) -> Result<Tally> {
    let programs = programs::build()?;
    let common = image::common(&programs)?;
    let accelerator = accelerator(&kernels[0], &common, cache)?;
    println!("{} kernels, {MACHINES} machines at a time, {}", kernels.len(), accelerator.name());

    let mut boots: Vec<(&Kernel, Boot)> =
        kernels.iter().map(|kernel| (kernel, Boot::of_tests(&programs, extent))).collect();
    if let Some(newest) = kernels.last() {
        boots.push((newest, Boot::locked_down(&programs)));
        boots.push((newest, Boot::without_types(&programs)));
    }
    let directory = |kernel: &Kernel, boot: &Boot| -> PathBuf {
        cache.join("boots").join(format!("{}-{}", kernel.release, boot.name.replace(' ', "-")))
    };
    let booted = in_turn(&boots, |(kernel, boot)| {
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

/// Does `work` for all items, some at a time, and keeps the order.
fn in_turn<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let waiting = Mutex::new(items.iter().enumerate());
    let done = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..MACHINES {
            scope.spawn(|| {
                loop {
                    let next = waiting.lock().unwrap_or_else(PoisonError::into_inner).next();
                    let Some((place, item)) = next else { break };
                    let result = work(item);
                    let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
                    done.push((place, result));
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(place, _)| *place);
    done.into_iter().map(|(_, result)| result).collect()
}

/// Shows the table, and above it what there is to say of failures.
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
            let verdict = job.verdict(ended);
            verdict.complaint.as_deref().map(complain);
            total += verdict.tally;
            rows.push(Row {
                kernel: kernel.release.clone(),
                rung: job.rung,
                subject: job.subject.to_owned(),
                tally: verdict.tally,
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

/// Whether the processor itself can run a kernel. That it offers to does not say so: under some
/// hypervisors, machines die on their first instructions. So it is tried.
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
        limit: LIMIT_OF_TRIAL,
    };
    let works = machine.run()?.complaint.is_none();
    Ok(if works { Accelerator::Kvm } else { Accelerator::Emulation })
}
