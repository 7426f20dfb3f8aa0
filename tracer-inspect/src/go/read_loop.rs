//! The goroutine of an HTTP client connection, `net/http.(*persistConn).readLoop`.

use tracer_core::HttpStage;

use super::{
    goroutine::{Goroutine, Stack},
    program::{Function, Functions},
};
use crate::process::{maps::Mappings, pages::Pages};

/// Bytes above a frame where its parameters may be kept: the caller's.
const PARAMETERS: u64 = 64;
/// Most words of a frame that are looked at. That of `readLoop` has some 100.
const WORDS_MAX: u64 = 512;

/// A `readLoop` that waits.
#[derive(Clone, Debug)]
pub(super) struct ReadLoop {
    pub(super) goroutine: Goroutine,
    pub(super) stage: HttpStage,
    /// Where `readLoop` goes on.
    pub(super) pc: u64,
    /// What is in its variables, in the order of the stack. As long as `pc` is the same, so is what
    /// is where.
    pub(super) words: Vec<u64>,
}

impl ReadLoop {
    /// What in its variables may be an address of the heap, each once.
    pub(super) fn pointers(&self, mappings: &Mappings) -> Vec<u64> {
        let mut all: Vec<u64> =
            self.words.iter().copied().filter(|&it| mappings.is_heap(it)).collect();
        all.sort_unstable();
        all.dedup();
        all
    }
}

/// What a goroutine does, as far as it matters.
pub(super) enum Role {
    ReadLoop(ReadLoop),
    /// One that does not wait for what we ask about. As of those below, its stack belongs to the
    /// connection, not to who uses it.
    BusyReadLoop,
    WriteLoop,
    Other,
}

/// Tells what a goroutine does from a copy of its stack.
pub(super) fn role(stack: &Stack, functions: &mut Functions, pages: &mut Pages, bias: u64) -> Role {
    let frames = stack.frames();
    let mut called = None;
    for frame in &frames {
        let function = functions.caller(pages, bias, frame.pc);
        match function {
            Function::ReadLoop => {
                let stage = match called {
                    Some(Function::Select) => HttpStage::AwaitingBody,
                    Some(Function::Peek) => HttpStage::Idle,
                    _ => return Role::BusyReadLoop,
                };
                let end = frame.end.saturating_add(PARAMETERS);
                let end = end
                    .min(stack.goroutine.stack.high)
                    .min(frame.start.saturating_add(8 * WORDS_MAX));
                let words: Vec<u64> = stack.words(frame.start, end).collect();
                let (goroutine, pc) = (stack.goroutine, frame.pc);
                return Role::ReadLoop(ReadLoop { goroutine, stage, pc, words });
            }
            Function::WriteLoop => return Role::WriteLoop,
            _ => called = Some(function),
        }
    }
    Role::Other
}
