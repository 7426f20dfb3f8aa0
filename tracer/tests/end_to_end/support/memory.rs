use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

/// How much memory tracer and its workers may take beyond that of a run that inspects nothing.
const MEMORY_MAX: u64 = 256 << 20;

/// Watches the anonymous memory of a tracer and its descendants, in bytes.
pub(crate) struct Memory {
    before: u64,
    most: Arc<AtomicU64>,
    is_over: Arc<AtomicBool>,
}

impl Memory {
    pub(crate) fn watch(pid: u32) -> Self {
        let (most, is_over) = (Arc::<AtomicU64>::default(), Arc::<AtomicBool>::default());
        let before = anonymous_memory(pid);
        let (most_seen, ends) = (Arc::clone(&most), Arc::clone(&is_over));
        thread::spawn(move || {
            while !ends.load(Ordering::Relaxed) {
                most_seen.fetch_max(anonymous_memory(pid), Ordering::Relaxed);
                thread::sleep(Duration::from_millis(50));
            }
        });
        Self { before, most, is_over }
    }

    /// Checks that at no time, there was much more memory than at the start.
    #[track_caller]
    pub(crate) fn assert_limited(&self) {
        let (before, most) = (self.before, self.most.load(Ordering::Relaxed));
        assert!(most < before + MEMORY_MAX, "{before} bytes at first, {most} at most");
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
    }
}

fn anonymous_memory(pid: u32) -> u64 {
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
    let line = rollup.lines().find_map(|line| line.strip_prefix("Anonymous:"));
    let own = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
    let children = children.unwrap_or_default();
    let children = children.split_whitespace().filter_map(|pid| pid.parse().ok());
    own.unwrap_or(0) * 1024 + children.map(anonymous_memory).sum::<u64>()
}
