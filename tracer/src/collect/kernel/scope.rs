//! The processes and sockets that the BPF programs report.

use aya::maps::{HashMap, MapData, MapError};

use super::load::Kernel;

/// `BPF_NOEXIST` of `include/uapi/linux/bpf.h`: insert only if the key is not in the map.
const BPF_NOEXIST: u64 = 1;

impl Kernel {
    /// Replaces the processes in scope, by their pids in the tracer's pid namespace. It has no
    /// effect without [`KernelOptions::only_tracked`](super::object::KernelOptions::only_tracked).
    /// Returns how many did not fit in the map (4,096 entries); only a pass of
    /// [`Extent::All`](super::extent::Extent::All) reports their sockets.
    ///
    /// # Errors
    /// The kernel refused to change the map.
    pub(crate) fn set_pids(&mut self, pids: &[u32]) -> anyhow::Result<u64> {
        let mut map: HashMap<&mut MapData, u32, u8> = self.map_mut("PIDS")?.try_into()?;
        // Pids that remain in scope are not removed and added again, so they are never out of
        // scope. The others are removed first, to make room for new ones.
        let old: Vec<u32> = map.keys().collect::<Result<_, _>>()?;
        for pid in old.iter().filter(|pid| !pids.contains(pid)) {
            map.remove(pid)?;
        }
        let mut refused = 0;
        for pid in pids {
            match map.insert(pid, 1, 0) {
                Err(MapError::SyscallError(error))
                    if error.io_error.raw_os_error() == Some(libc::E2BIG) =>
                {
                    refused += 1;
                }
                result => result?,
            }
        }
        Ok(refused)
    }

    /// Brings a socket of a snapshot into scope, by its cookie: a process in scope opened it before
    /// the hooks were attached, or received it from another process. Returns false if it was
    /// already in scope.
    ///
    /// # Errors
    /// The map is full (131,072 sockets).
    pub(crate) fn track(&mut self, cookie: u64) -> anyhow::Result<bool> {
        let mut map: HashMap<&mut MapData, u64, u8> = self.map_mut("TRACKED")?.try_into()?;
        match map.insert(cookie, 1, BPF_NOEXIST) {
            Err(MapError::SyscallError(error))
                if error.io_error.raw_os_error() == Some(libc::EEXIST) =>
            {
                Ok(false)
            }
            result => Ok(result.map(|()| true)?),
        }
    }

    /// Takes a socket out of scope, by its cookie, if it was in scope.
    pub(crate) fn untrack(&mut self, cookie: u64) {
        let map = self.map_mut("TRACKED").ok().map(HashMap::<&mut MapData, u64, u8>::try_from);
        if let Some(Ok(mut map)) = map {
            // Usually the BPF program for its destruction has already removed it.
            let _ = map.remove(&cookie);
        }
    }
}
