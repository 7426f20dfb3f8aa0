//! The running kernel's type information: read once, for what the programs have to know and for
//! what aya has to.

use std::{fs, fs::File, io};

use anyhow::{anyhow, bail};
use aya::{Btf, Endianness};
use memmap2::{Mmap, MmapOptions};

use super::{
    btf::{self, BtfError},
    extent::SNAPSHOT_TARGET,
    hooks,
    offsets::KernelLayout,
};

/// The kernel's type information about itself.
pub(crate) const FILE: &str = "/sys/kernel/btf/vmlinux";

/// Asks the running kernel for everything that depends on it.
pub(super) fn read() -> anyhow::Result<(KernelLayout, Btf)> {
    let bytes = Bytes::read().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => anyhow!(
            "this kernel has no type information ({FILE} is missing): \
             use one built with CONFIG_DEBUG_INFO_BTF=y"
        ),
        _ => anyhow!("cannot read the kernel's type information {FILE}: {error}"),
    })?;
    let (layout, excerpt) = resolve(bytes.get()).map_err(|error| {
        let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        anyhow!(
            "Linux {} is not supported, its type information {FILE} does not fit: {error}",
            release.trim()
        )
    })?;
    match Btf::parse(&excerpt, Endianness::default()) {
        Ok(btf) => Ok((layout, btf)),
        Err(error) => bail!("the kernel's type information {FILE} cannot be passed on: {error}"),
    }
}

fn resolve(bytes: &[u8]) -> Result<(KernelLayout, Vec<u8>), BtfError> {
    let btf = btf::Btf::parse(bytes)?;
    let mut names = hooks::type_names();
    names.push(format!("bpf_iter_{SNAPSHOT_TARGET}"));
    Ok((KernelLayout::resolve(&btf)?, btf.excerpt(&names)?))
}

/// The file's content. Read, it comes a page at a time, in more than a thousand calls; from Linux
/// 6.16 on it can be mapped.
enum Bytes {
    Mapped(Mmap),
    Read(Vec<u8>),
}

impl Bytes {
    fn read() -> io::Result<Self> {
        // SAFETY: nobody can write to the file, it is in the kernel's own read-only memory.
        let mapped = unsafe { MmapOptions::new().map_copy_read_only(&File::open(FILE)?) };
        mapped.map(Self::Mapped).or_else(|_| Ok(Self::Read(fs::read(FILE)?)))
    }

    fn get(&self) -> &[u8] {
        match self {
            Self::Mapped(bytes) => bytes,
            Self::Read(bytes) => bytes,
        }
    }
}
