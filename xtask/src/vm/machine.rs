//! One virtual machine, from power-on to power-off.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::protocol;

/// What executes the machine's instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Accelerator {
    /// The CPU itself.
    Kvm,
    /// QEMU, at a tenth of the speed.
    Emulation,
}

impl Accelerator {
    /// The name of the machine for people.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Kvm => "KVM",
            Self::Emulation => "software emulation",
        }
    }

    const fn arguments(self) -> [&'static str; 4] {
        match self {
            Self::Kvm => ["-accel", "kvm", "-cpu", "host"],
            // Page tables with five levels would make every memory access slower to emulate.
            Self::Emulation => ["-accel", "tcg", "-cpu", "max,-la57"],
        }
    }
}

/// Memory in MiB. While the kernel unpacks the archive, two copies of it are in memory.
const MEMORY: &str = "1024";

/// Options for every kernel: stop on a panic, and leave out the self-tests of ciphers, which take a
/// second.
const APPEND: &str = "console=ttyS0 quiet panic=-1 cryptomgr.notests";

/// What to boot.
pub(super) struct Machine<'a> {
    /// The kernel image.
    pub(super) image: &'a Path,
    /// Further options for the kernel.
    pub(super) append: &'a str,
    /// The directory for its files; existing content is removed.
    pub(super) directory: PathBuf,
    /// The parts of its root file system.
    pub(super) archive: [&'a [u8]; 2],
    pub(super) accelerator: Accelerator,
    /// The time limit of the machine.
    pub(super) limit: Duration,
}

/// The results of a machine.
pub(super) struct Output {
    /// The output of the machine, in the format of [`protocol`].
    pub(super) report: String,
    /// Why it did not run all of its jobs; `None` if it did.
    pub(super) complaint: Option<String>,
}

impl Machine<'_> {
    /// Boots it and waits until it powers off.
    ///
    /// # Errors
    /// The machine cannot be started.
    pub(super) fn run(&self) -> Result<Output> {
        let _ = fs::remove_dir_all(&self.directory);
        fs::create_dir_all(&self.directory)?;
        let archive = self.directory.join("initrd");
        fs::write(&archive, self.archive.concat())
            .with_context(|| format!("cannot write {}", archive.display()))?;
        let report = self.directory.join("report.txt");
        let console = self.directory.join("console.txt");
        let serial = |path: &Path| format!("file:{}", path.display());
        let errors = File::create(self.directory.join("qemu.txt"))?;
        let child = Command::new("qemu-system-x86_64")
            .args(["-M", "pc"])
            .args(self.accelerator.arguments())
            .args(["-m", MEMORY, "-smp", "1", "-nodefaults", "-no-user-config"])
            .args(["-display", "none", "-no-reboot"])
            .args(["-serial", &serial(&console), "-serial", &serial(&report)])
            .arg("-kernel")
            .arg(self.image)
            .arg("-initrd")
            .arg(&archive)
            .args(["-append", &format!("{APPEND} {}", self.append)])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(errors)
            .spawn()
            .context("cannot start qemu-system-x86_64")?;
        let in_time = self.wait(child)?;
        let _ = fs::remove_file(&archive);
        let read =
            |path: &Path| String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned();
        let report = read(&report);
        let complaint = (!protocol::is_complete(&report)).then(|| {
            let how = if in_time { "stopped early" } else { "did not power off in time" };
            let console = read(&console);
            let last = console.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default();
            format!("the machine {how} (see {}): {last}", self.directory.display())
        });
        Ok(Output { report, complaint })
    }

    /// Whether the machine powered off within the limit.
    fn wait(&self, mut child: Child) -> Result<bool> {
        let end = Instant::now() + self.limit;
        while child.try_wait()?.is_none() {
            if Instant::now() >= end {
                child.kill()?;
                child.wait()?;
                return Ok(false);
            }
            thread::sleep(Duration::from_millis(50));
        }
        Ok(true)
    }
}
