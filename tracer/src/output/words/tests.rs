//! Writes every sentence about findings to one file, `tests/sentences.txt`, for reading, and checks
//! that no variant of the core is missing from it.

use std::{collections::BTreeSet, fmt::Write as _};

use expect_test::expect_file;
use tracer_core::{AttachError, CallSiteReason, Caveat, Evidence, Limit, Note};

use super::*;
use crate::output::quantity::plain;

pub(crate) mod examples;

/// The sentences of one kind, each below its code.
fn section<'a>(title: &str, sentences: impl IntoIterator<Item = (&'a str, String)>) -> String {
    let mut text = format!("# {title}\n");
    let mut last = "";
    for (code, sentence) in sentences {
        if code != last {
            writeln!(text, "{code}").unwrap();
            last = code;
        }
        writeln!(text, "    {}", plain(&sentence)).unwrap();
    }
    text
}

/// The codes that the source of a core type assigns: string literals in its `code` function.
fn codes_of(source: &str, type_name: &str) -> BTreeSet<String> {
    let (_, code) = source.split_once(&format!("impl {type_name} {{")).unwrap();
    let body = code.split("\n    }\n").next().unwrap();
    let literals =
        body.lines().filter_map(|line| line.trim().split_once("=> \"")?.1.split_once('"'));
    literals.map(|(code, _)| code.to_owned()).collect()
}

#[track_caller]
fn check_complete<'a>(codes: impl IntoIterator<Item = &'a str>, source: &str, type_name: &str) {
    let listed: BTreeSet<String> = codes.into_iter().map(str::to_owned).collect();
    assert_eq!(listed, codes_of(source, type_name), "{type_name}");
}

#[test]
fn every_sentence_about_findings() {
    let facts = examples::evidence();
    let caveats = examples::caveats();
    let reasons = examples::call_site_reasons();
    let limits = examples::limits();
    let notes = examples::notes();
    let notes_with_limits: Vec<(&str, Note)> = limits
        .iter()
        .flat_map(|limit| examples::notes_with(limit).map(|it| (limit.code(), it)))
        .collect();
    let probes = examples::probes();
    let attach_errors = examples::attach_errors();
    let text = [
        section("Evidence", facts.iter().map(|it| (it.code(), evidence(it)))),
        section("Caveats", caveats.iter().map(|it| (it.code(), caveat(it)))),
        section("Call site unknown", reasons.iter().map(|it| (it.code(), call_site_reason(it)))),
        section("Limits of an inspection", limits.iter().map(|it| (it.code(), limit(it)))),
        section("Notes", notes.iter().map(|it| (it.code(), note(it)))),
        section("Limits in notes", notes_with_limits.iter().map(|(code, it)| (*code, note(it)))),
        section("Probes", probes.iter().map(|it| (it.hook.name(), probe(it)))),
        section("Attach errors", attach_errors.iter().map(|it| (it.code(), attach_error(it)))),
        section("Verdicts", examples::VERDICTS.map(|it| (it.name(), meaning(it).to_owned()))),
        section("Fixes", examples::VERDICTS.map(|it| (it.name(), remedy(it).to_owned()))),
    ];
    expect_file!["tests/sentences.txt"].assert_eq(&text.join("\n"));
}

#[test]
fn no_variant_is_missing() {
    check_complete(
        examples::evidence().iter().map(Evidence::code),
        include_str!("../../../../tracer-core/src/evidence.rs"),
        "Evidence",
    );
    check_complete(
        examples::caveats().iter().map(Caveat::code),
        include_str!("../../../../tracer-core/src/caveat.rs"),
        "Caveat",
    );
    let reasons = examples::call_site_reasons();
    let own = reasons.iter().filter(|it| !matches!(it, CallSiteReason::Process(_)));
    check_complete(
        own.map(CallSiteReason::code),
        include_str!("../../../../tracer-core/src/call_site_reason.rs"),
        "CallSiteReason",
    );
    check_complete(
        examples::limits().iter().map(Limit::code),
        include_str!("../../../../tracer-core/src/limit.rs"),
        "Limit",
    );
    check_complete(
        examples::notes().iter().map(Note::code),
        include_str!("../../../../tracer-core/src/note.rs"),
        "Note",
    );
    check_complete(
        examples::attach_errors().iter().map(AttachError::code),
        include_str!("../../../../tracer-core/src/probe.rs"),
        "AttachError",
    );
}
