//! The ledgers of the Go programs of a [`World`](super::world::World).

use std::{
    collections::{BTreeMap, BTreeSet},
    string::String,
    vec::Vec,
};

use crate::{
    CallSite, CallSiteReason, Input, Ledger, OpenResponse, ProcessKey, StackId, Timestamp,
};

/// The open responses, as recorded by the programs themselves.
#[derive(Default)]
pub(super) struct Ledgers {
    out: BTreeMap<ProcessKey, BTreeMap<(u32, Option<u32>), OpenResponse>>,
    /// The processes whose ledger cannot be read.
    pub(super) unread: BTreeSet<u32>,
    /// The call sites of the stacks; `None` if unknown.
    pub(super) call_sites: BTreeMap<StackId, Option<String>>,
}

impl Ledgers {
    /// A response that is already open on the stream continues, with a new value of
    /// `held_bytes`.
    pub(super) fn start_response(&mut self, process: ProcessKey, response: OpenResponse) {
        let key = (response.fd, response.stream.map(|stream| stream.id));
        let out = self.out.entry(process).or_default().entry(key).or_insert(response.clone());
        if let (Some(stream), Some(now)) = (&mut out.stream, response.stream) {
            *stream = now;
        } else {
            *out = response;
        }
    }

    pub(super) fn return_response(&mut self, process: ProcessKey, fd: u32, stream: Option<u32>) {
        if let Some(out) = self.out.get_mut(&process) {
            out.remove(&(fd, stream));
        }
    }

    /// The file descriptor is closed, so no response is open on it.
    pub(super) fn close(&mut self, process: ProcessKey, fd: u32) {
        if let Some(out) = self.out.get_mut(&process) {
            out.retain(|(other, _), _| *other != fd);
        }
    }

    /// The process executes another program.
    pub(super) fn forget(&mut self, pid: u32) {
        for (_, out) in self.out.iter_mut().filter(|(process, _)| process.pid == pid) {
            out.clear();
        }
    }

    /// The current lists, without responses that have been open for less than `idle_ms`.
    pub(super) fn lists(&self, now: Timestamp, idle_ms: u64) -> Vec<Input> {
        let read = self.out.iter().filter(|(process, _)| !self.unread.contains(&process.pid));
        let list = |(process, out): (&ProcessKey, &BTreeMap<_, OpenResponse>)| {
            let old = out.values().filter(|it| now.ms_since(it.since) >= idle_ms);
            let open = old.cloned().collect();
            Input::Ledger(Ledger { process: *process, at: now, open, limits: Vec::new() })
        };
        read.map(list).collect()
    }

    /// The call site of a stack; nothing if it is not resolved yet.
    pub(super) fn call_site(&self, process: ProcessKey, stack: StackId) -> Option<Input> {
        let location = self.call_sites.get(&stack)?.clone();
        let reason = location.is_none().then_some(CallSiteReason::StackEmpty);
        Some(Input::CallSite(CallSite { process, stack, location, reason }))
    }
}
