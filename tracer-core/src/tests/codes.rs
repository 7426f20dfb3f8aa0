//! Codes are the names of the variants in kebab case.

use std::{fmt::Debug, format, string::String};

use crate::{
    AccessError, AttachError, CallSiteReason, Caveat, CountOf, DurationRange, Evidence,
    FallbackReason, Limit, Note, Occurrence,
};

/// The variant's name in kebab case.
fn kebab_case(variant: &impl Debug) -> String {
    let text = format!("{variant:?}");
    let name: String = text.chars().take_while(char::is_ascii_alphanumeric).collect();
    let mut code = String::new();
    for (index, letter) in name.char_indices() {
        if index > 0 && letter.is_ascii_uppercase() {
            code.push('-');
        }
        code.push(letter.to_ascii_lowercase());
    }
    code
}

#[test]
fn codes_are_variant_names_in_kebab_case() {
    let (count, some) = (1, CountOf { count: 1, total: 2 });
    let silent = DurationRange { min_ms: 1, max_ms: 2 };
    for evidence in [
        Evidence::PeerClosed { count, ago: silent },
        Evidence::EofReceived(some),
        Evidence::UnreadSilent { count, unread_bytes: 1, silent },
        Evidence::NoReaderNoEpoll { count },
        Evidence::CloseOnExecMissing,
    ] {
        assert_eq!(evidence.code(), kebab_case(&evidence));
    }
    for caveat in [Caveat::SingleCausePossible, Caveat::EofUnconfirmed(some), Caveat::ExecUnknown] {
        assert_eq!(caveat.code(), kebab_case(&caveat));
    }
    for note in [Note::SingleSnapshot, Note::CsvStopped { detail: String::new() }] {
        assert_eq!(note.code(), kebab_case(&note));
    }
    for limit in [Limit::ThirtyTwoBitProgram, Limit::GoTooOld { minor: 1, oldest_minor: 2 }] {
        assert_eq!(limit.code(), kebab_case(&limit));
        let reason = CallSiteReason::Process(limit.clone());
        assert_eq!(reason.code(), limit.code(), "a limit stands for the reason");
    }
    let reasons = [CallSiteReason::StackNotKept, CallSiteReason::GoLinesInconsistent];
    for reason in reasons {
        assert_eq!(reason.code(), kebab_case(&reason));
    }
    assert_eq!(AccessError::NotInKernel.code(), "not-in-kernel");
    assert_eq!(AttachError::FexitUnsafe.code(), "fexit-unsafe");
    assert_eq!(FallbackReason::Requested, FallbackReason::Requested);
    assert_eq!(Occurrence::PeerClosed.code(), kebab_case(&Occurrence::PeerClosed));
}
