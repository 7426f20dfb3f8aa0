//! Where in its file the functions begin by which a Go program's HTTP client hands out responses
//! and takes them back.
//!
//! They are the same in all versions that are known, except that `roundTrip` of HTTP/2 was part of
//! `RoundTrip` before 1.23 and is what that calls since, and that HTTP/2 moved. A program that
//! imports `golang.org/x/net/http2` has that one beside the one of `net/http`.

use tracer_core::Limit;

use super::{executable::Executable, function_table::FunctionTable};
use crate::process::memory::Memory;

/// What a function does to a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LedgerHook {
    /// HTTP/1: a connection (the receiver) is given a request.
    RoundTrip,
    /// A connection (the first parameter) goes back to the pool.
    PutIdle,
    /// A connection (the receiver) is closed, or its request fails.
    Close,
    /// HTTP/2: a request (the first parameter) is given to a connection.
    StreamRoundTrip,
    /// A request (the first parameter) gets a stream (the receiver).
    StreamStart,
    /// A stream (the receiver) has ended.
    StreamEnd,
}

/// The functions that a program has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entries {
    /// What each does and where in the file of the program its first instruction is. None if the
    /// program has no HTTP client.
    pub hooks: Vec<(LedgerHook, u64)>,
    /// Why some of its responses cannot be followed; empty if all can.
    pub limits: Vec<Limit>,
}

/// Functions that are of use together only: for each thing that is done the names of the function
/// that does it, the best first.
type Set = &'static [(LedgerHook, &'static [&'static str])];

const SETS: [Set; 4] = [
    &[
        (LedgerHook::RoundTrip, &["net/http.(*persistConn).roundTrip"]),
        (LedgerHook::PutIdle, &["net/http.(*Transport).tryPutIdleConn"]),
        (LedgerHook::Close, &["net/http.(*persistConn).closeLocked"]),
        // A connection may have been closed before it is given the request.
        (LedgerHook::Close, &["net/http.(*persistConn).mapRoundTripError"]),
    ],
    // Where there are both, the first becomes part of its callers.
    &[
        (LedgerHook::StreamRoundTrip, &["net/http.(*http2ClientConn).roundTrip", AMBIGUOUS]),
        (LedgerHook::StreamStart, &["net/http.(*http2clientStream).doRequest"]),
        (LedgerHook::StreamEnd, &["net/http.(*http2clientStream).cleanupWriteRequest"]),
    ],
    &[
        (
            LedgerHook::StreamRoundTrip,
            &[
                "golang.org/x/net/http2.(*ClientConn).roundTrip",
                "golang.org/x/net/http2.(*ClientConn).RoundTrip",
            ],
        ),
        (LedgerHook::StreamStart, &["golang.org/x/net/http2.(*clientStream).doRequest"]),
        (LedgerHook::StreamEnd, &["golang.org/x/net/http2.(*clientStream).cleanupWriteRequest"]),
    ],
    &[
        (LedgerHook::StreamRoundTrip, &["net/http/internal/http2.(*ClientConn).roundTrip"]),
        (LedgerHook::StreamStart, &["net/http/internal/http2.(*clientStream).doRequest"]),
        (LedgerHook::StreamEnd, &["net/http/internal/http2.(*clientStream).cleanupWriteRequest"]),
    ],
];

/// It says nothing about what the program has: from 1.27 on something else has this name.
const AMBIGUOUS: &str = "net/http.(*http2ClientConn).RoundTrip";

/// The functions of a program that runs shifted by `bias`.
///
/// # Errors
/// None of its responses can be followed: [`Limit::GoFunctionMissing`].
pub(super) fn find(
    executable: &Executable,
    functions: &FunctionTable,
    memory: &dyn Memory,
    bias: u64,
) -> Result<Entries, Limit> {
    let names: Vec<&str> =
        SETS.iter().copied().flatten().flat_map(|(_, names)| *names).copied().collect();
    let numbers = functions.find(memory, bias, &names);
    let offset = |name: &&str| {
        let number = (*numbers.get(names.iter().position(|it| it == name)?)?)?;
        executable.file_offset(functions.code(number)?.0)
    };
    choose(&|name| offset(&name))
}

/// The sets that are whole.
fn choose(offset: &dyn Fn(&'static str) -> Option<u64>) -> Result<Entries, Limit> {
    let mut entries = Entries::default();
    for set in SETS {
        let place = |names: &[&'static str]| names.iter().find_map(|name| offset(name));
        let missing = set.iter().find(|(_, names)| place(names).is_none());
        let Some(name) = missing.and_then(|(_, names)| names.last()) else {
            entries.hooks.extend(set.iter().filter_map(|(hook, it)| Some((*hook, place(it)?))));
            continue;
        };
        let mut names = set.iter().flat_map(|(_, names)| *names);
        if names.any(|name| *name != AMBIGUOUS && offset(name).is_some()) {
            entries.limits.push(Limit::GoFunctionMissing { function: (*name).to_owned() });
        }
    }
    match entries.limits.first() {
        Some(limit) if entries.hooks.is_empty() => Err(limit.clone()),
        _ => Ok(entries),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is chosen of a program with functions whose names contain one of these.
    fn chosen(parts: &[&str]) -> Result<Entries, Limit> {
        choose(&|name| parts.iter().any(|part| name.contains(part)).then_some(name.len() as u64))
    }

    fn count(parts: &[&str]) -> usize {
        chosen(parts).unwrap().hooks.len()
    }

    #[test]
    fn whole_sets_are_chosen() {
        assert_eq!(count(&["persistConn", "Transport"]), 4);
        assert_eq!(count(&["persistConn", "Transport", "http2client", "http2ClientConn"]), 7);
        assert_eq!(count(&["net/http."]), 7);
        assert_eq!(count(&["net/http.", "golang.org/"]), 10);
        assert_eq!(count(&[""]), 13);
    }

    #[test]
    fn of_two_functions_the_inner_is_chosen() {
        let place = |parts: &[&str]| {
            let hooks = chosen(parts).unwrap().hooks;
            let place = hooks.into_iter().find(|(hook, _)| *hook == LedgerHook::StreamRoundTrip);
            place.map(|it| it.1)
        };
        let both = place(&["http2client", "(*http2ClientConn)"]);
        assert_eq!(both, Some("net/http.(*http2ClientConn).roundTrip".len() as u64));
        assert!(place(&["http2client", "http2ClientConn).RoundTrip"]).is_some());
    }

    #[test]
    fn a_program_without_a_client_has_nothing_to_say() {
        assert_eq!(chosen(&["main.main"]), Ok(Entries::default()));
        assert_eq!(chosen(&[AMBIGUOUS]), Ok(Entries::default()));
    }

    #[test]
    fn what_is_missing_is_named() {
        let missing = |function: &str| Limit::GoFunctionMissing { function: function.to_owned() };
        let close = missing("net/http.(*persistConn).closeLocked");
        assert_eq!(chosen(&["persistConn).roundTrip", "tryPut"]), Err(close));
        let entries = chosen(&["persistConn", "tryPut", "clientStream).doRequest"]).unwrap();
        assert_eq!(entries.hooks.len(), 4);
        let round_trips = [
            "net/http.(*http2ClientConn).RoundTrip",
            "golang.org/x/net/http2.(*ClientConn).RoundTrip",
            "net/http/internal/http2.(*ClientConn).roundTrip",
        ];
        assert_eq!(entries.limits, round_trips.map(missing));
    }
}
