//! Where in its file the functions begin by which a Go program's HTTP client hands out responses
//! and takes them back.
//!
//! They are the same in all versions that are known, except that `roundTrip` of HTTP/2 was part of
//! `RoundTrip` before 1.23 and is what that calls since, and that HTTP/2 moved. A program that
//! imports `golang.org/x/net/http2` has that one beside the one of `net/http`.

use super::{executable::Executable, function_table::FunctionTable, memory::Memory};

/// What a function does to a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LedgerHook {
    /// HTTP/1: a connection (the receiver) is given a request.
    RoundTrip,
    /// A connection (the first parameter) goes back to the pool.
    PutIdle,
    /// A connection (the receiver) is closed.
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
pub(crate) struct Entries {
    /// What each does and where in the file of the program its first instruction is. None if the
    /// program has no HTTP client.
    pub(crate) hooks: Vec<(LedgerHook, u64)>,
    /// Why some of its responses cannot be followed, one sentence.
    pub(crate) limits: Option<String>,
}

/// Functions that are of use together only: for each thing that is done the names of the function
/// that does it, the best first.
type Set = [(LedgerHook, &'static [&'static str]); 3];

const SETS: [Set; 4] = [
    [
        (LedgerHook::RoundTrip, &["net/http.(*persistConn).roundTrip"]),
        (LedgerHook::PutIdle, &["net/http.(*Transport).tryPutIdleConn"]),
        (LedgerHook::Close, &["net/http.(*persistConn).closeLocked"]),
    ],
    // Where there are both, the first becomes part of its callers.
    [
        (
            LedgerHook::StreamRoundTrip,
            &["net/http.(*http2ClientConn).roundTrip", "net/http.(*http2ClientConn).RoundTrip"],
        ),
        (LedgerHook::StreamStart, &["net/http.(*http2clientStream).doRequest"]),
        (LedgerHook::StreamEnd, &["net/http.(*http2clientStream).cleanupWriteRequest"]),
    ],
    [
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
    [
        (LedgerHook::StreamRoundTrip, &["net/http/internal/http2.(*ClientConn).roundTrip"]),
        (LedgerHook::StreamStart, &["net/http/internal/http2.(*clientStream).doRequest"]),
        (LedgerHook::StreamEnd, &["net/http/internal/http2.(*clientStream).cleanupWriteRequest"]),
    ],
];

/// The functions of a program that runs shifted by `bias`.
///
/// # Errors
/// Why none of its responses can be followed, as a sentence.
pub(super) fn find(
    executable: &Executable,
    functions: &FunctionTable,
    memory: &dyn Memory,
    bias: u64,
) -> Result<Entries, String> {
    let names: Vec<&str> = SETS.iter().flatten().flat_map(|(_, names)| *names).copied().collect();
    let numbers = functions.find(memory, bias, &names);
    let offset = |name: &&str| {
        let number = (*numbers.get(names.iter().position(|it| it == name)?)?)?;
        executable.file_offset(functions.code(number)?.0)
    };
    choose(&|name| offset(&name))
}

/// The sets that are whole.
fn choose(offset: &dyn Fn(&'static str) -> Option<u64>) -> Result<Entries, String> {
    let mut entries = Entries::default();
    for set in SETS {
        let found = set.map(|(hook, names)| (hook, names.iter().find_map(|name| offset(name))));
        let whole: Option<Vec<_>> =
            found.iter().map(|&(hook, offset)| Some((hook, offset?))).collect();
        if let Some(whole) = whole {
            entries.hooks.extend(whole);
        } else if found.iter().any(|(_, offset)| offset.is_some()) {
            let is_missing = |(_, (_, offset)): &(_, (_, Option<u64>))| offset.is_none();
            let missing = set.iter().zip(found).find(is_missing);
            let name = missing.and_then(|((_, names), _)| names.last()).unwrap_or(&"");
            let limit = format!("{name} is not in the program, so its responses are not followed");
            entries.limits.get_or_insert(limit);
        }
    }
    match entries {
        Entries { hooks, limits: Some(limit) } if hooks.is_empty() => Err(limit),
        entries => Ok(entries),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is chosen of a program with functions whose names contain one of these.
    fn chosen(parts: &[&str]) -> Result<Entries, String> {
        choose(&|name| parts.iter().any(|part| name.contains(part)).then_some(name.len() as u64))
    }

    fn count(parts: &[&str]) -> usize {
        chosen(parts).unwrap().hooks.len()
    }

    #[test]
    fn whole_sets_are_chosen() {
        assert_eq!(count(&["persistConn", "Transport"]), 3);
        assert_eq!(count(&["persistConn", "Transport", "http2client", "http2ClientConn"]), 6);
        assert_eq!(count(&["net/http."]), 6);
        assert_eq!(count(&["net/http.", "golang.org/"]), 9);
        assert_eq!(count(&[""]), 12);
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
    }

    #[test]
    fn what_is_missing_is_named() {
        let missing = "net/http.(*persistConn).closeLocked is not in the program, so its responses \
                       are not followed";
        assert_eq!(chosen(&["roundTrip", "tryPut"]), Err(missing.to_owned()));
        let entries = chosen(&["persistConn", "tryPut", "clientStream).doRequest"]).unwrap();
        assert_eq!(entries.hooks.len(), 3);
        assert!(entries.limits.unwrap().starts_with("net/http.(*http2ClientConn).RoundTrip is"));
    }
}
