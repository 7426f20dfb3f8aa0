//! A process with uprobes.

use std::{fs::File, os::unix::fs::FileExt as _};

use tracer_core::{Limit, OpenResponse, ProcessKey, Timestamp};
use tracer_inspect::{
    clock,
    go::{
        HttpObject, LedgerHook,
        prologue::{PROLOGUE, hook_offset},
    },
    inspector::Inspector,
    process::{access::attach_error, image::Image},
};

use super::responses_in_flight::{Entry, ResponsesInFlight};
use crate::collect::kernel::{load::Kernel, uprobes::LedgerLinks};

/// A process whose HTTP responses are tracked until this is dropped.
#[derive(Debug)]
pub(super) struct Followed {
    /// When the uprobes were attached. Earlier entries of the ledger are those of another program that
    /// the process ran before `execve`.
    pub(super) since: Timestamp,
    image: Image,
    in_flight: ResponsesInFlight,
    /// Why not all of its responses are tracked.
    limits: Vec<Limit>,
    /// The uprobes.
    pub(super) links: LedgerLinks,
}

impl Followed {
    /// Attaches uprobes to a process. `None`: it does not contain Go's HTTP client, or has exited.
    ///
    /// # Errors
    /// Why its responses cannot be tracked. In that case, it has no uprobes.
    pub(super) fn attach(
        kernel: &mut Kernel,
        inspector: &mut Inspector,
        key: ProcessKey,
    ) -> Option<Result<Self, Limit>> {
        // Opened first, so that `is_current` covers everything that is read afterwards.
        let image = Image::open(key.pid);
        let entries = match inspector.entries(key)? {
            Ok(entries) => entries,
            Err(reason) => return Some(Err(reason)),
        };
        if entries.hooks.is_empty() {
            return None;
        }
        let image = match image {
            Ok(image) => image,
            Err(error) => {
                return Some(Err(Limit::MemoryUnreadable { error: attach_error(&error) }));
            }
        };
        let hooks = at_cheapest_instructions(key.pid, entries.hooks);
        let since = clock::now();
        let links = match kernel.attach_ledger(key.pid, &hooks) {
            Ok(links) => links,
            Err(error) => {
                return Some(Err(Limit::UprobesRefused { detail: format!("{error:#}") }));
            }
        };
        let followed = Self {
            since,
            image,
            in_flight: ResponsesInFlight::default(),
            limits: entries.limits,
            links,
        };
        followed.is_current().then_some(Ok(followed))
    }

    /// Whether the process still runs the program that has the uprobes.
    pub(super) fn is_current(&self) -> bool {
        self.image.is_current()
    }

    /// The responses in flight, and why the list is incomplete; `None` if the process could not be
    /// inspected this time.
    pub(super) fn responses(
        &mut self,
        inspector: &mut Inspector,
        key: ProcessKey,
        entries: Vec<Entry>,
    ) -> Option<(Vec<OpenResponse>, Vec<Limit>)> {
        let mut resolve = |objects: &[HttpObject]| inspector.resolve(key, objects);
        let (open, limits) = self.in_flight.update(entries, &mut resolve)?;
        Some((open, self.limits.iter().cloned().chain(limits).collect()))
    }
}

/// Moves each hook to the instruction of its function at which a uprobe is cheapest; see
/// [`hook_offset`].
fn at_cheapest_instructions(pid: u32, mut hooks: Vec<(LedgerHook, u64)>) -> Vec<(LedgerHook, u64)> {
    if let Ok(file) = File::open(format!("/proc/{pid}/exe")) {
        for (_, offset) in &mut hooks {
            let mut code = [0; PROLOGUE];
            if file.read_exact_at(&mut code, *offset).is_ok() {
                *offset += hook_offset(&code).unwrap_or(0);
            }
        }
    }
    hooks
}
