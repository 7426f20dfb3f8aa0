//! A process with hooks.

use std::{fs::File, os::unix::fs::FileExt as _};

use tracer_core::{AccessError, Limit, OpenResponse, ProcessKey, Timestamp};
use tracer_inspect::{
    clock,
    go::{
        GoPrograms, HttpObject, LedgerHook,
        prologue::{PROLOGUE, hook_place},
    },
    process::image::Image,
};

use super::responses_in_flight::{Entry, ResponsesInFlight};
use crate::collect::kernel::{load::Kernel, uprobes::LedgerLinks};

/// A process whose responses are followed, until this is dropped.
#[derive(Debug)]
pub(super) struct Followed {
    /// Since when: what is on the ledger from before was another program's.
    pub(super) since: Timestamp,
    image: Image,
    in_flight: ResponsesInFlight,
    /// Why not all of its responses are followed.
    limits: Vec<Limit>,
    #[expect(dead_code, reason = "held for as long as the hooks are to stay")]
    links: LedgerLinks,
}

impl Followed {
    /// Hooks a process. `None`: it has no HTTP client of Go's, or is gone.
    ///
    /// # Errors
    /// Why its responses cannot be followed. It has no hooks then.
    pub(super) fn begin(
        kernel: &mut Kernel,
        programs: &mut GoPrograms,
        key: ProcessKey,
    ) -> Option<Result<Self, Limit>> {
        // Before anything else is looked at, so that it all was of one program.
        let image = Image::open(key.pid);
        let entries = match programs.entries(key)? {
            Ok(entries) => entries,
            Err(reason) => return Some(Err(reason)),
        };
        if entries.hooks.is_empty() {
            return None;
        }
        let image = match image {
            Ok(image) => image,
            Err(error) => {
                let error = AccessError::Failed { detail: error.to_string() };
                return Some(Err(Limit::MemoryUnreadable { error }));
            }
        };
        let hooks = at_best_places(key.pid, entries.hooks);
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
        followed.runs_on().then_some(Ok(followed))
    }

    /// It is still the program that was given hooks.
    pub(super) fn runs_on(&self) -> bool {
        self.image.is_current()
    }

    /// What is out, and why that is not all; `None` if it is not known just now.
    pub(super) fn tell(
        &mut self,
        programs: &mut GoPrograms,
        key: ProcessKey,
        entries: Vec<Entry>,
    ) -> Option<(Vec<OpenResponse>, Vec<Limit>)> {
        let mut resolve = |objects: &[HttpObject]| programs.resolve(key, objects);
        let (open, limits) = self.in_flight.write(entries, &mut resolve)?;
        Some((open, self.limits.iter().cloned().chain(limits).collect()))
    }
}

/// The same hooks, each where it costs its function least.
fn at_best_places(pid: u32, mut hooks: Vec<(LedgerHook, u64)>) -> Vec<(LedgerHook, u64)> {
    if let Ok(file) = File::open(format!("/proc/{pid}/exe")) {
        for (_, offset) in &mut hooks {
            let mut code = [0; PROLOGUE];
            if file.read_exact_at(&mut code, *offset).is_ok() {
                *offset += hook_place(&code).unwrap_or(0);
            }
        }
    }
    hooks
}
