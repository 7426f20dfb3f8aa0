//! The running kernel's BTF: read once, for the offsets that the programs need and for the type ids
//! that aya needs.

use std::{fs, fs::File, io};

use anyhow::{anyhow, bail};
use aya::{Btf, Endianness};
use memmap2::{Mmap, MmapOptions};
use rustix::fs::fstatfs;

use super::{
    btf::{self, BtfError},
    error::not_loaded,
    extent::SNAPSHOT_TARGET,
    file_tables, hooks,
    offsets::KernelLayout,
};

/// The kernel's BTF about itself.
pub(crate) const FILE: &str = "/sys/kernel/btf/vmlinux";

/// Reads everything that the programs and aya need from the kernel's BTF.
pub(super) fn read() -> anyhow::Result<(KernelLayout, Btf)> {
    let bytes = Bytes::read().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => not_loaded(
            &format!("{FILE} does not exist"),
            "use a kernel built with CONFIG_DEBUG_INFO_BTF=y",
        ),
        _ => anyhow!("cannot read the kernel's BTF {FILE}: {error}"),
    })?;
    let (layout, excerpt) = resolve(bytes.get()).map_err(|error| {
        let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        anyhow!("Linux {} is not supported: {FILE}: {error}", release.trim())
    })?;
    match Btf::parse(&excerpt, Endianness::default()) {
        Ok(btf) => Ok((layout, btf)),
        Err(error) => bail!("cannot parse the excerpt of {FILE}: {error}"),
    }
}

fn resolve(bytes: &[u8]) -> Result<(KernelLayout, Vec<u8>), BtfError> {
    let btf = btf::Btf::parse(bytes)?;
    let mut names = hooks::type_names();
    names.push(format!("bpf_iter_{SNAPSHOT_TARGET}"));
    names.push(format!("bpf_iter_{}", file_tables::TARGET));
    Ok((KernelLayout::resolve(&btf)?, btf.excerpt(&names)?))
}

/// The file's content. A read returns one page at a time, so reading takes more than 1,000 system
/// calls; since Linux 6.16, the file can be mapped.
enum Bytes {
    Mapped(Mmap),
    Read(Vec<u8>),
}

impl Bytes {
    fn read() -> io::Result<Self> {
        let file = File::open(FILE)?;
        if is_of_kernel(&file) {
            // SAFETY: a sysfs file is the kernel's own memory. This one is read-only and never
            // changes its length.
            let mapped = unsafe { MmapOptions::new().map_copy_read_only(&file) };
            if let Ok(mapped) = mapped {
                return Ok(Self::Mapped(mapped));
            }
        }
        Ok(Self::Read(fs::read(FILE)?))
    }

    fn get(&self) -> &[u8] {
        match self {
            Self::Mapped(bytes) => bytes,
            Self::Read(bytes) => bytes,
        }
    }
}

/// Whether the file belongs to sysfs, and is not another one that was mounted over it.
fn is_of_kernel(file: &File) -> bool {
    /// `SYSFS_MAGIC` of `include/uapi/linux/magic.h`.
    const SYSFS: u64 = 0x6265_6572;
    fstatfs(file).is_ok_and(|stat| u64::try_from(stat.f_type) == Ok(SYSFS))
}
