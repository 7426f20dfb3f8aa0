//! A cache of facts about processes, so that facts that hardly ever change are not read for each
//! snapshot.

use std::collections::HashMap;

use procfs::{ProcResult, ProcessCGroup};
use tracer_core::{Input, ProcessFacts, ProcessKey, Timestamp};

use super::{Image, Memory, Reading, is_of, is_stopped, open_fds, read_all};
use crate::{
    cache::BoundedCache,
    clock,
    process::{
        cgroup::is_frozen,
        stat::{exists, main_thread},
    },
};

/// Maximum number of processes in the cache.
const PROCESSES_MAX: usize = 4_096;
/// Maximum number of cgroups in the cache.
const CGROUPS_MAX: usize = 4_096;
/// How long a cached answer is valid: user, limits and cgroups can change without notice.
const LASTS_MS: u64 = 60_000;
/// Cached answers are valid for up to this much longer, depending on the process, so that not all
/// expire at the same snapshot.
const LASTS_SPREAD_MS: u64 = 60_000;
/// How long the state of a cgroup's freezer is cached: for the questions of one snapshot.
const FREEZER_LASTS_MS: u64 = 500;

/// Answers [`Question::Process`](tracer_core::Question::Process). Whether the process is stopped
/// and its number of file descriptors are read each time; the rest is read when it executes another
/// program, and at least every two minutes.
#[derive(Debug)]
pub(crate) struct FactsCache {
    with_cmdline: bool,
    known: BoundedCache<ProcessKey, Known>,
    freezers: Freezers,
}

#[derive(Debug)]
struct Known {
    reading: Reading,
    read_at: Timestamp,
}

impl FactsCache {
    /// Command lines are in the answers only if `with_cmdline`.
    pub(crate) fn new(with_cmdline: bool) -> Self {
        let known = BoundedCache::new(PROCESSES_MAX);
        Self { with_cmdline, known, freezers: Freezers::default() }
    }

    /// The answer to a question about a process; `None` if it has exited.
    pub(crate) fn answer(&mut self, key: ProcessKey, memory: Memory) -> Option<Input> {
        match self.facts(key, memory, clock::now()) {
            Ok(facts) => facts.map(Input::Process),
            // A process can exit while a file of it is open: ESRCH.
            Err(_) if !exists(key.pid) => None,
            Err(error) => {
                log::debug!("process {}: {error}", key.pid);
                Some(Input::ProcessUnreadable(key))
            }
        }
    }

    /// `None` if the pid has been reused by another process.
    fn facts(
        &mut self,
        key: ProcessKey,
        memory: Memory,
        now: Timestamp,
    ) -> ProcResult<Option<ProcessFacts>> {
        if let Some(known) = self.known.get_mut(&key)
            && now.ms_since(known.read_at) < lasts_ms(key)
        {
            let stat = main_thread(key.pid)?;
            if is_of(key, &stat) && Image::of(&stat) == known.reading.image {
                let Reading { facts, cgroups, .. } = &mut known.reading;
                facts.stopped = is_stopped(&stat) || self.freezers.is_any_frozen(cgroups, now);
                facts.open_fds = open_fds(key.pid);
                return Ok(Some(facts.clone()));
            }
        }
        self.known.remove(&key);
        let Some(reading) = read_all(key, memory, self.with_cmdline)? else { return Ok(None) };
        let facts = reading.facts.clone();
        self.known.insert(key, Known { reading, read_at: now });
        Ok(Some(facts))
    }
}

fn lasts_ms(key: ProcessKey) -> u64 {
    // Pids of related processes are close together, so any multiplier spreads them.
    LASTS_MS + u64::from(key.pid).wrapping_mul(7_919) % LASTS_SPREAD_MS
}

/// The frozen state of cgroups. Many processes share a cgroup.
#[derive(Debug, Default)]
struct Freezers {
    known: HashMap<(u32, String), (Timestamp, bool)>,
}

impl Freezers {
    fn is_any_frozen(&mut self, groups: &[ProcessCGroup], now: Timestamp) -> bool {
        groups.iter().any(|group| self.is_frozen(group, now))
    }

    fn is_frozen(&mut self, group: &ProcessCGroup, now: Timestamp) -> bool {
        let key = (group.hierarchy, group.pathname.clone());
        if let Some((at, is_frozen)) = self.known.get(&key)
            && now.ms_since(*at) < FREEZER_LASTS_MS
        {
            return *is_frozen;
        }
        if self.known.len() >= CGROUPS_MAX {
            self.known.clear();
        }
        let is_frozen = is_frozen(group);
        self.known.insert(key, (now, is_frozen));
        is_frozen
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::Write as _,
        process::{Command, Stdio},
        thread,
        time::{Duration, Instant},
    };

    use super::*;
    use crate::process::identity::{TICK_NS, started};

    fn key(pid: u32) -> ProcessKey {
        ProcessKey { start_time_ns: started(pid).unwrap() * TICK_NS, pid }
    }

    /// Asks until the facts are as expected.
    #[track_caller]
    fn expect(cache: &mut FactsCache, key: ProcessKey, is_it: impl Fn(&ProcessFacts) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            let facts = cache.facts(key, Memory::Read, clock::now()).unwrap().unwrap();
            if is_it(&facts) {
                return;
            }
            assert!(Instant::now() < deadline, "{facts:?}");
            thread::sleep(Duration::from_millis(5));
        }
    }

    #[test]
    fn what_changes_is_read_again() {
        let shell = || Command::new("sh").stdin(Stdio::piped()).spawn().unwrap();
        let mut child = shell();
        let key = key(child.id());
        let mut cache = FactsCache::new(false);
        expect(&mut cache, key, |facts| !facts.stopped && facts.has_executed == Some(true));
        let before = cache.facts(key, Memory::Read, clock::now()).unwrap().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(b"exec 7</dev/null; kill -STOP $$\n").unwrap();
        expect(&mut cache, key, |facts| facts.stopped);
        expect(&mut cache, key, |facts| facts.open_fds > before.open_fds);
        // SAFETY: the child is ours and has not been waited for; this sends a signal only.
        unsafe { libc::kill(child.id().cast_signed(), libc::SIGCONT) };
        stdin.write_all(b"exec sleep 600\n").unwrap();
        expect(&mut cache, key, |facts| !facts.stopped && facts.exe != before.exe);
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(cache.answer(key, Memory::Read), None);
    }
}
