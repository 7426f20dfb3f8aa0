//! Recognizes the goroutines of an HTTP client connection: `net/http.(*persistConn).readLoop` and
//! `writeLoop` (`net/http/transport.go`).

use tracer_core::HttpStage;

use super::{
    functions::{Function, Functions},
    goroutine::Goroutine,
    stack::Stack,
};
use crate::process::{maps::Mappings, pages::Pages};

/// Number of bytes above a frame in which its parameters may be spilled, in the frame of the caller.
const PARAMETERS: u64 = 64;
/// Maximum number of words read of a frame. That of `readLoop` has about 100.
const WORDS_MAX: u64 = 512;

/// A `readLoop` that is waiting in a known call.
#[derive(Clone, Debug)]
pub(super) struct ReadLoop {
    pub(super) goroutine: Goroutine,
    pub(super) stage: HttpStage,
    /// The program counter in `readLoop` at which it continues.
    pub(super) pc: u64,
    /// The words of the goroutine's frame, by ascending address. Frames with the same `pc` have the
    /// same layout.
    pub(super) words: Vec<u64>,
}

impl ReadLoop {
    /// The number of bytes that it takes, with its entry in a list.
    pub(super) fn size(&self) -> usize {
        2 * size_of::<Self>() + 8 * self.words.capacity()
    }

    /// The words that may be heap addresses, without duplicates.
    pub(super) fn pointers(&self, mappings: &Mappings) -> Vec<u64> {
        let mut all: Vec<u64> =
            self.words.iter().copied().filter(|&it| mappings.is_heap(it)).collect();
        all.sort_unstable();
        all.dedup();
        all
    }
}

/// The role of a goroutine in an HTTP client connection.
pub(super) enum Role {
    /// `readLoop`, waiting for its body to be read or for the next response.
    ReadLoop(ReadLoop),
    /// `readLoop` in any other call.
    BusyReadLoop,
    /// `writeLoop`.
    WriteLoop,
    /// Any other role.
    Other,
}

/// The role of a goroutine, by a copy of its stack.
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
