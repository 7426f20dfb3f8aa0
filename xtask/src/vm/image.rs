//! The root file system of a machine: a shell, the tests, and the script that runs them.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::archive::Archive;
use super::boot::{Boot, Job};
use super::kernels::Kernel;
use super::protocol;
use crate::build::SystemTests;

/// Its paths in Debian's current and older packages.
const BUSYBOX: [&str; 2] = ["/usr/bin/busybox", "/bin/busybox"];

/// Builds the part that is the same for all machines.
///
/// # Errors
/// A program cannot be read.
pub(super) fn common(tests: &SystemTests) -> Result<Vec<u8>> {
    let mut archive = Archive::default();
    for directory in ["/proc", "/sys", "/run", "/root"] {
        archive.directory(Path::new(directory), 0o755)?;
    }
    archive.directory(Path::new("/tmp"), 0o1777)?;
    archive.character_device(Path::new("/dev/console"), (5, 1))?;
    archive.character_device(Path::new("/dev/null"), (1, 3))?;
    let busybox = busybox().context("no busybox; apt-get install busybox-static")?;
    archive.program(Path::new("/bin/busybox"), &read(&busybox)?)?;
    archive.symlink(Path::new("/bin/sh"), "busybox")?;
    // They have the same paths as on this host, because the tests contain those.
    let SystemTests { programs, unit_tests, end_to_end } = tests;
    for path in [&programs.tracer, &programs.puppet, unit_tests, end_to_end] {
        archive.program(path, &read(path)?)?;
    }
    // Tests create their directories below this one.
    let target = programs.tracer.ancestors().nth(3).context("the tracer is in no directory")?;
    archive.directory(&target.join("tmp"), 0o755)?;
    archive.finish()
}

/// Builds the part for one boot.
///
/// # Errors
/// A module cannot be read.
pub(super) fn own(boot: &Boot, kernel: &Kernel) -> Result<Vec<u8>> {
    let mut archive = Archive::default();
    let mut modules = Vec::new();
    for module in &kernel.modules {
        let name = Path::new("/modules").join(module.file_name().unwrap_or_default());
        archive.program(&name, &read(module)?)?;
        modules.push(name);
    }
    archive.program(Path::new("/init"), script(boot, &modules).as_bytes())?;
    archive.finish()
}

/// The script that the kernel starts as its first process.
fn script(boot: &Boot, modules: &[PathBuf]) -> String {
    let mut script = String::from(
        "#!/bin/sh\n\
         export PATH=/bin HOME=/root\n\
         /bin/busybox --install -s /bin\n\
         mount -t proc proc /proc\n\
         mount -t sysfs sys /sys\n\
         mount -t devtmpfs dev /dev\n\
         mount -t tracefs tracefs /sys/kernel/tracing\n\
         mount -t bpf bpf /sys/fs/bpf\n\
         mount -t cgroup2 cgroup2 /sys/fs/cgroup\n\
         mount -t securityfs securityfs /sys/kernel/security\n\
         ln -s /proc/self/fd /dev/fd\n",
    );
    let insert = |module: &PathBuf| format!("insmod {}\n", module.display());
    script.extend(modules.iter().map(insert));
    script.push_str(
        "ip link set lo up\n\
         stty -F /dev/ttyS1 raw\n\
         exec >/dev/ttyS1 2>&1\n",
    );
    script.push_str(boot.preparation);
    let run = |(number, job): (usize, &Job)| {
        let (begin, end, commands) = (protocol::BEGIN, protocol::END, &job.script);
        format!("echo '{begin}{number}'\n({commands})\ncode=$?; echo; echo \"{end}$code\"\n")
    };
    script.extend(boot.jobs.iter().enumerate().map(run));
    script + &format!("echo '{}'\npoweroff -f\n", protocol::COMPLETE)
}

fn busybox() -> Option<PathBuf> {
    BUSYBOX.into_iter().map(PathBuf::from).find(|path| path.is_file())
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}
