//! Where in the frame of `readLoop` which variable is.
//!
//! A frame also has what is left of earlier uses of its memory, for example of another `readLoop`.
//! That may look like a variable, but not in every goroutine at the same place: the place that has
//! one in the most goroutines is the variable's.

use std::collections::HashMap;

use tracer_core::HttpStage;

use super::{follower::Follower, read_loop::ReadLoop};

/// Goroutines that are looked at to find the places.
const SAMPLE: usize = 256;

/// What is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Variable {
    /// A `*persistConn`.
    Connection,
    /// A `requestAndChan`.
    Request,
}

/// The places of each variable at each address where `readLoop` may wait.
#[derive(Debug, Default)]
pub(super) struct FrameVariables {
    places: HashMap<(Variable, u64), Vec<usize>>,
}

impl FrameVariables {
    /// From what is in goroutines of one process.
    pub(super) fn find(read_loops: &[ReadLoop], follower: &mut Follower) -> Self {
        let mut looked_at: HashMap<u64, usize> = HashMap::new();
        let mut counts: HashMap<(Variable, u64), Vec<usize>> = HashMap::new();
        for read_loop in read_loops {
            let number = looked_at.entry(read_loop.pc).or_default();
            *number += 1;
            if *number > SAMPLE {
                continue;
            }
            let mut count = |variable, place: usize| {
                let counts = counts.entry((variable, read_loop.pc)).or_default();
                counts.resize(counts.len().max(read_loop.words.len()), 0);
                if let Some(count) = counts.get_mut(place) {
                    *count += 1;
                }
            };
            for (place, &word) in read_loop.words.iter().enumerate() {
                if follower.persistent_connection(word).is_some() {
                    count(Variable::Connection, place);
                }
                if read_loop.stage == HttpStage::AwaitingBody
                    && follower.request(read_loop, place).is_some()
                {
                    count(Variable::Request, place);
                }
            }
        }
        let most = |counts: Vec<usize>| {
            let most = counts.iter().copied().max().unwrap_or(0);
            (0..).zip(counts).filter(|(_, count)| *count == most).map(|(place, _)| place).collect()
        };
        Self { places: counts.into_iter().map(|(key, counts)| (key, most(counts))).collect() }
    }

    /// Where a variable is; more than one place if they cannot be told apart.
    pub(super) fn of(&self, variable: Variable, pc: u64) -> &[usize] {
        self.places.get(&(variable, pc)).map_or(&[], Vec::as_slice)
    }
}
