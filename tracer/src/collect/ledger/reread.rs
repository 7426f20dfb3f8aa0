//! The BPF map, read again for lists that are late.

use std::collections::{BTreeMap, BTreeSet};

use tracer_common::{LedgerKey, LedgerRecord};
use tracer_core::Timestamp;

/// When the open responses of each process were requested. The map is read at most once for the lists
/// that arrive together: it has up to 65,536 entries.
#[derive(Debug, Default)]
pub(super) struct Reread(Option<BTreeMap<u32, BTreeSet<Timestamp>>>);

impl Reread {
    /// Other lists have arrived, so the map has to be read again.
    pub(super) fn forget(&mut self) {
        self.0 = None;
    }

    /// The times of a process; `read` reads the map.
    ///
    /// # Errors
    /// The map cannot be read.
    pub(super) fn of_process(
        &mut self,
        pid: u32,
        read: impl FnOnce() -> anyhow::Result<Vec<(LedgerKey, LedgerRecord)>>,
    ) -> anyhow::Result<&BTreeSet<Timestamp>> {
        const NONE: &BTreeSet<Timestamp> = &BTreeSet::new();
        let since = match self.0.take() {
            Some(since) => since,
            None => by_process(&read()?),
        };
        Ok(self.0.insert(since).get(&pid).unwrap_or(NONE))
    }
}

fn by_process(records: &[(LedgerKey, LedgerRecord)]) -> BTreeMap<u32, BTreeSet<Timestamp>> {
    let mut since: BTreeMap<u32, BTreeSet<Timestamp>> = BTreeMap::new();
    for (_, record) in records {
        since.entry(record.pid).or_default().insert(Timestamp::from_ns(record.at_ns));
    }
    since
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_that_arrive_together_read_the_map_once() {
        let mut again = Reread::default();
        let mut reads = 0;
        let mut of = |again: &mut Reread, pid| {
            let times = again.of_process(pid, || {
                reads += 1;
                Ok(Vec::new())
            });
            assert!(times.unwrap().is_empty());
            reads
        };
        assert_eq!([1, 2, 3].map(|pid| of(&mut again, pid)), [1; 3]);
        again.forget();
        assert_eq!(of(&mut again, 1), 2);
        let mut again = Reread::default();
        assert!(again.of_process(1, || anyhow::bail!("no map")).is_err());
    }
}
