//! The BPF part of the ledger: its uprobes on functions of Go programs, and its map of open
//! HTTP responses.

use std::{num::NonZeroU32, path::Path};

use anyhow::{Context as _, bail};
use aya::{
    maps::{Array, HashMap, Map, MapData},
    programs::{
        UProbe,
        uprobe::{UProbeLink, UProbeScope},
    },
};
use tracer_common::{LedgerKey, LedgerRecord};

use super::{error::one_line, load::Kernel, map_batch, pod::AsPod};
use tracer_inspect::{budget::Budget, go::LedgerHook, process::maps::Mappings};

/// The hooks in the order in which they are attached, with their programs. Those that remove a
/// response from the map come before those that add one, so that no removal is missed.
const PROGRAMS: [(LedgerHook, &str); 6] = [
    (LedgerHook::PutIdle, "go_put_idle"),
    (LedgerHook::Close, "go_close"),
    (LedgerHook::StreamEnd, "go_stream_end"),
    (LedgerHook::StreamStart, "go_stream_start"),
    (LedgerHook::RoundTrip, "go_round_trip"),
    (LedgerHook::StreamRoundTrip, "go_stream_round_trip"),
];

/// The uprobes in one process. They are detached when this is dropped.
#[derive(Debug)]
pub(crate) struct LedgerLinks {
    links: Vec<UProbeLink>,
}

impl LedgerLinks {
    /// The number of uprobes.
    pub(crate) const fn count(&self) -> usize {
        self.links.len()
    }

    /// Detaches one of the uprobes. False if there is none.
    pub(crate) fn detach_one(&mut self) -> bool {
        self.links.pop().is_some()
    }
}

impl Kernel {
    /// Attaches the programs to functions of a process. Each hook has an offset in the file of its
    /// program, in bytes. The process is not stopped; its requests take slightly
    /// longer.
    ///
    /// # Errors
    /// One line: the kernel refused. In that case, nothing is attached.
    pub(crate) fn attach_ledger(
        &mut self,
        pid: u32,
        file: &Path,
        hooks: &[(LedgerHook, u64)],
    ) -> anyhow::Result<LedgerLinks> {
        let pid = NonZeroU32::new(pid).context("there is no process 0")?;
        let mut links = Vec::new();
        for (hook, program) in PROGRAMS {
            let offsets = hooks.iter().filter(|(other, _)| *other == hook);
            for (_, offset) in offsets {
                let link = self.attach_uprobe(program, file, *offset, UProbeScope::OneProcess(pid));
                links.push(link?);
            }
        }
        // They are detached in order: those that add a response come first.
        links.reverse();
        Ok(LedgerLinks { links })
    }

    /// Checks whether uprobes can be attached on this host, by attaching one to a function of
    /// `tracer` itself that is never called.
    ///
    /// # Errors
    /// One line: why they cannot.
    pub(crate) fn try_uprobe(&mut self) -> anyhow::Result<()> {
        let address = (never_called as extern "C" fn() as *const ()).expose_provenance() as u64;
        let maps = std::fs::read("/proc/self/maps").context("cannot read /proc/self/maps")?;
        let mappings = Mappings::read(&maps[..], &Budget::default())?;
        let offset = mappings.code_at(address).and_then(|mapping| mapping.offset_in_file(address));
        let offset = offset.context("this program is not in /proc/self/maps")?;
        // The link is dropped, and the uprobe detached, immediately.
        let own = Path::new("/proc/self/exe");
        self.attach_uprobe("go_close", own, offset, UProbeScope::CallingProcess)?;
        Ok(())
    }

    fn attach_uprobe(
        &mut self,
        program: &str,
        file: &Path,
        offset: u64,
        scope: UProbeScope,
    ) -> anyhow::Result<UProbeLink> {
        let program: &mut UProbe = self.program(program)?.try_into()?;
        if program.fd().is_err() {
            program.load().map_err(|error| refused(&error))?;
        }
        let link = program.attach(offset, file, scope).map_err(|error| refused(&error))?;
        Ok(program.take_link(link)?)
    }

    /// The open responses of every process that has uprobes.
    ///
    /// # Errors
    /// The map cannot be read.
    pub(crate) fn ledger(&self) -> anyhow::Result<Vec<(LedgerKey, LedgerRecord)>> {
        let Map::HashMap(map) = self.map("LEDGER")? else { bail!("LEDGER is not a hash map") };
        map_batch::entries(map).context("cannot read the map LEDGER")
    }

    /// From now on, the uprobes have no effect.
    ///
    /// # Errors
    /// The map cannot be written.
    pub(crate) fn turn_ledger_off(&mut self) -> anyhow::Result<()> {
        let mut off = Array::<&mut MapData, u32>::try_from(self.map_mut("LEDGER_OFF")?)?;
        off.set(0, 1, 0).context("cannot write the map LEDGER_OFF")
    }

    /// Removes an entry from the map, if it exists.
    pub(crate) fn remove_from_ledger(&mut self, key: LedgerKey) {
        let map = self.map_mut("LEDGER").ok();
        let map = map.map(HashMap::<&mut MapData, AsPod<LedgerKey>, AsPod<LedgerRecord>>::try_from);
        if let Some(Ok(mut map)) = map {
            let _ = map.remove(&AsPod(key));
        }
    }
}

#[inline(never)]
extern "C" fn never_called() {
    std::hint::black_box(());
}

fn refused(error: &(dyn std::error::Error + 'static)) -> anyhow::Error {
    anyhow::anyhow!("{}", one_line(error))
}
