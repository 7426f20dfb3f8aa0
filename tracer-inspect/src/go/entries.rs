//! Finds the functions of Go's HTTP client at which a response begins or ends
//! (`net/http/transport.go`, `net/http/h2_bundle.go`), as offsets in the file of a program, for
//! uprobes.
//!
//! They are the same in all supported versions, with two exceptions. `RoundTrip` of HTTP/2 was split
//! into `RoundTrip` and `roundTrip` in 1.23, and HTTP/2 moved to `net/http/internal/http2` in 1.27. A
//! program that imports `golang.org/x/net/http2` has its functions in addition to those of `net/http`.

use tracer_core::Limit;

use super::{executable::Executable, function_table::FunctionTable};
use crate::process::memory::Memory;

/// What a hooked function does to a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LedgerHook {
    /// HTTP/1: a request is sent on a connection (the receiver).
    RoundTrip,
    /// HTTP/1: a connection (the first parameter) is returned to the pool.
    PutIdle,
    /// HTTP/1: a connection (the receiver) is closed, or its request fails.
    Close,
    /// HTTP/2: a request (the first parameter) is sent on a connection.
    StreamRoundTrip,
    /// HTTP/2: a request (the first parameter) is assigned a stream (the receiver).
    StreamStart,
    /// HTTP/2: a stream (the receiver) ends.
    StreamEnd,
}

/// The hooked functions of a program.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entries {
    /// Each function with the file offset of its first instruction. Empty if the program has no HTTP
    /// client.
    pub hooks: Vec<(LedgerHook, u64)>,
    /// Why some responses cannot be tracked; empty if all can.
    pub limits: Vec<Limit>,
}

/// Functions that are useful only together: each with its possible names, the preferred one first.
type HookSet = &'static [(LedgerHook, &'static [&'static str])];

const HOOK_SETS: [HookSet; 4] = [
    &[
        (LedgerHook::RoundTrip, &["net/http.(*persistConn).roundTrip"]),
        (LedgerHook::PutIdle, &["net/http.(*Transport).tryPutIdleConn"]),
        (LedgerHook::Close, &["net/http.(*persistConn).closeLocked"]),
        // A connection may be closed before the request is sent.
        (LedgerHook::Close, &["net/http.(*persistConn).mapRoundTripError"]),
    ],
    // In versions with both, `RoundTrip` is inlined into its callers.
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

/// A function that is not evidence of HTTP/2 in `net/http`: from 1.27 on, another function has this
/// name.
const AMBIGUOUS: &str = "net/http.(*http2ClientConn).RoundTrip";

/// Finds the functions. `bias` is the load address minus the address in the file.
///
/// # Errors
/// No response can be tracked: [`Limit::GoFunctionMissing`].
pub(super) fn find(
    executable: &Executable,
    functions: &FunctionTable,
    memory: &dyn Memory,
    bias: u64,
) -> Result<Entries, Limit> {
    let names: Vec<&str> =
        HOOK_SETS.iter().copied().flatten().flat_map(|(_, names)| *names).copied().collect();
    let numbers = functions.find(memory, bias, &names);
    let offset = |name: &&str| {
        let number = (*numbers.get(names.iter().position(|it| it == name)?)?)?;
        executable.file_offset(functions.code(number)?.0)
    };
    choose(&|name| offset(&name))
}

/// The hooks of all sets of which every function exists.
fn choose(offset: &dyn Fn(&'static str) -> Option<u64>) -> Result<Entries, Limit> {
    let mut entries = Entries::default();
    for set in HOOK_SETS {
        let find = |names: &[&'static str]| names.iter().find_map(|name| offset(name));
        let missing = set.iter().find(|(_, names)| find(names).is_none());
        let Some(name) = missing.and_then(|(_, names)| names.last()) else {
            entries.hooks.extend(set.iter().filter_map(|(hook, it)| Some((*hook, find(it)?))));
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

    /// The hooks of a program that has the functions whose names contain one of `parts`.
    fn chosen(parts: &[&str]) -> Result<Entries, Limit> {
        choose(&|name| parts.iter().any(|part| name.contains(part)).then_some(name.len() as u64))
    }

    fn count(parts: &[&str]) -> usize {
        chosen(parts).unwrap().hooks.len()
    }

    #[test]
    fn complete_sets_are_chosen() {
        assert_eq!(count(&["persistConn", "Transport"]), 4);
        assert_eq!(count(&["persistConn", "Transport", "http2client", "http2ClientConn"]), 7);
        assert_eq!(count(&["net/http."]), 7);
        assert_eq!(count(&["net/http.", "golang.org/"]), 10);
        assert_eq!(count(&[""]), 13);
    }

    #[test]
    fn the_inner_of_two_functions_is_chosen() {
        let offset = |parts: &[&str]| {
            let hooks = chosen(parts).unwrap().hooks;
            let hook = hooks.into_iter().find(|(hook, _)| *hook == LedgerHook::StreamRoundTrip);
            hook.map(|it| it.1)
        };
        let both = offset(&["http2client", "(*http2ClientConn)"]);
        assert_eq!(both, Some("net/http.(*http2ClientConn).roundTrip".len() as u64));
        assert!(offset(&["http2client", "http2ClientConn).RoundTrip"]).is_some());
    }

    #[test]
    fn a_program_without_a_client_has_no_hooks() {
        assert_eq!(chosen(&["main.main"]), Ok(Entries::default()));
        assert_eq!(chosen(&[AMBIGUOUS]), Ok(Entries::default()));
    }

    #[test]
    fn missing_functions_are_named() {
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
