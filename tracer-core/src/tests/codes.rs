//! Codes are the names of the variants, so that JSON has the same code by either way.

use std::{fmt::Debug, format, string::String};

use crate::{
    AccessError, AttachError, CallSiteReason, Caveat, CountOf, DurationRange, Evidence,
    FallbackReason, Limit, Note, Occurrence,
};

/// The variant's name in kebab case, as serde writes it.
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
    for caveat in [Caveat::SingleEventPossible, Caveat::EofUnconfirmed(some), Caveat::ExecUnknown] {
        assert_eq!(caveat.code(), kebab_case(&caveat));
    }
    for note in [Note::SingleSnapshot, Note::CsvStopped { detail: String::new() }] {
        assert_eq!(note.code(), kebab_case(&note));
    }
    for limit in [Limit::ThirtyTwoBitProgram, Limit::GoTooOld { minor: 1, oldest_minor: 2 }] {
        assert_eq!(limit.code(), kebab_case(&limit));
        let reason = CallSiteReason::Process(limit.clone());
        assert_eq!(reason.code(), limit.code(), "serde writes the limit in place of the reason");
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

/// Numbers lie beside the code, and a limit in a reason is in its place.
#[cfg(feature = "serde")]
#[test]
fn json_has_the_code_and_the_numbers() {
    use crate::{AttachMethod, AttachState, Hook, Probe, Recurrence};

    fn json(value: &impl serde::Serialize) -> String {
        serde_json::to_string(value).unwrap()
    }

    let silent = DurationRange { min_ms: 1, max_ms: 2 };
    assert_eq!(
        json(&Evidence::UnreadSilent { count: 5, unread_bytes: 9, silent }),
        r#"{"code":"unread-silent","count":5,"unread_bytes":9,"silent":{"min_ms":1,"max_ms":2}}"#
    );
    let some = CountOf { count: 5, total: 6 };
    assert_eq!(
        json(&Evidence::EofReceived(some)),
        r#"{"code":"eof-received","count":5,"total":6}"#
    );
    let recurrence = Recurrence { event: Occurrence::PeerClosed, times: 3, span_ms: 7 };
    assert_eq!(
        json(&Evidence::Ceased { recurrence, since_last_ms: 8 }),
        r#"{"code":"ceased","event":"peer-closed","times":3,"span_ms":7,"since_last_ms":8}"#
    );
    assert_eq!(json(&Caveat::IdlePoolPossible), r#"{"code":"idle-pool-possible"}"#);
    let reason = CallSiteReason::Process(Limit::GoTooOld { minor: 1, oldest_minor: 2 });
    assert_eq!(
        json(&Note::CallSiteLimit { stacks: 4, reason }),
        r#"{"code":"call-site-limit","stacks":4,"reason":{"code":"go-too-old","minor":1,"oldest_minor":2}}"#
    );
    let state = AttachState::Attached { method: AttachMethod::TpBtf, failures: [].into() };
    assert_eq!(
        json(&Probe { hook: Hook::Accept4, state }),
        r#"{"hook":"accept4","state":"attached","method":"tp_btf","failures":[]}"#
    );
}
