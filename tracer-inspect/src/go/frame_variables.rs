//! Finds the variables in the stack frame of `net/http.(*persistConn).readLoop`.
//!
//! A frame also contains stale values from earlier uses of its memory, for example by another
//! `readLoop`. Such a value can look like the variable, but not at the same position in every
//! goroutine. The position with a match in the most goroutines is that of the variable.

use std::collections::HashMap;

use tracer_core::HttpStage;

use super::{follower::Follower, read_loop::ReadLoop};

/// Maximum number of goroutines sampled per program counter.
const SAMPLE: usize = 256;
/// Maximum number of program counters. `readLoop` waits in three calls.
const PROGRAM_COUNTERS_MAX: usize = 64;

/// A variable of `readLoop`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Variable {
    /// The receiver of the method, a `*persistConn`.
    Connection,
    /// `rc`, a `requestAndChan`.
    Request,
}

/// Word indexes of each variable in the frame, by the program counter at which `readLoop` is
/// waiting.
#[derive(Debug, Default)]
pub(super) struct FrameVariables {
    indexes: HashMap<(Variable, u64), Vec<usize>>,
}

impl FrameVariables {
    /// Finds the variables by the frames of one process.
    pub(super) fn find(read_loops: &[ReadLoop], follower: &mut Follower) -> Self {
        let mut sampled: HashMap<u64, usize> = HashMap::new();
        let mut counts: HashMap<(Variable, u64), Vec<usize>> = HashMap::new();
        for read_loop in read_loops {
            if sampled.len() >= PROGRAM_COUNTERS_MAX && !sampled.contains_key(&read_loop.pc) {
                continue;
            }
            let number = sampled.entry(read_loop.pc).or_default();
            *number += 1;
            if *number > SAMPLE {
                continue;
            }
            let mut count = |variable, index: usize| {
                let counts = counts.entry((variable, read_loop.pc)).or_default();
                counts.resize(counts.len().max(read_loop.words.len()), 0);
                if let Some(count) = counts.get_mut(index) {
                    *count += 1;
                }
            };
            for (index, &word) in read_loop.words.iter().enumerate() {
                if follower.persistent_connection(word).is_some() {
                    count(Variable::Connection, index);
                }
                if read_loop.stage == HttpStage::AwaitingBody
                    && follower.request(read_loop, index).is_some()
                {
                    count(Variable::Request, index);
                }
            }
        }
        let most = |counts: Vec<usize>| {
            let most = counts.iter().copied().max().unwrap_or(0);
            (0..).zip(counts).filter(|(_, count)| *count == most).map(|(index, _)| index).collect()
        };
        Self { indexes: counts.into_iter().map(|(key, counts)| (key, most(counts))).collect() }
    }

    /// The word indexes at which a variable may be: more than one if the samples do not distinguish
    /// them.
    pub(super) fn of(&self, variable: Variable, pc: u64) -> &[usize] {
        self.indexes.get(&(variable, pc)).map_or(&[], Vec::as_slice)
    }
}
