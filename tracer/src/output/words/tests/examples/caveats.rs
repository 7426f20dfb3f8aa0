//! Examples of every caveat.

use tracer_core::{Caveat, HolderKind, ResponseHolder};

use super::{SECOND, of};

pub(crate) fn caveats() -> Vec<Caveat> {
    let too_little =
        |count| Caveat::TooLittleUnread { count, total: 9, unread_min_bytes: 4_096, count_min: 5 };
    vec![
        Caveat::SingleCausePossible,
        Caveat::SingleBurstPossible,
        Caveat::HalfClosePossible(of(5, 5)),
        Caveat::EofUnconfirmed(of(6, 6)),
        Caveat::CloseTimeUnknown(of(20, 25)),
        Caveat::ThreadPoolPossible,
        Caveat::IdlePoolPossible,
        Caveat::StreamPossible,
        Caveat::CauseAmbiguous,
        Caveat::ResponseReferenced { count: 1, total: 25, holder: None },
        Caveat::ResponseReferenced {
            count: 25,
            total: 25,
            holder: Some(ResponseHolder {
                kind: HolderKind::Closure,
                name: Some("main.keep.func1".to_owned()),
            }),
        },
        Caveat::ScanIncomplete(of(8, 8)),
        Caveat::ReaderWaiting(of(25, 25)),
        Caveat::ReaderUnknown(of(3, 5)),
        Caveat::SendBlocked { connections: 25 },
        Caveat::HalfClosedPeers { connections: 1 },
        Caveat::HalfClosedPeers { connections: 50 },
        Caveat::ProcessStopped,
        Caveat::ProcessResumed { ago_ms: 12 * SECOND },
        Caveat::NotInspected(of(5, 5)),
        Caveat::NotInspected(of(3, 25)),
        Caveat::NotInspected(of(1, 25)),
        Caveat::NotInspected(of(1, 1)),
        Caveat::SendBlocked { connections: 1 },
        Caveat::PausePossible(of(3, 14)),
        Caveat::PausePossible(of(1, 14)),
        Caveat::PartlyRead(of(3, 6)),
        Caveat::OthersBeingRead { count: 3 },
        Caveat::OthersBeingRead { count: 1 },
        Caveat::OthersBeingServed { count: 3 },
        Caveat::OthersBeingServed { count: 1 },
        Caveat::CleanedUp { alive_max: 50 },
        Caveat::CleanedUp { alive_max: 1 },
        Caveat::AwaitsCollection { connections: 7 },
        Caveat::AwaitsCollection { connections: 1 },
        Caveat::UsedAgain { count_min: 10 },
        Caveat::Undecided { watch_ms: 360 * SECOND },
        Caveat::Undecided { watch_ms: 823_900 },
        Caveat::ShortSeries { lasted_ms: 61_300, needed_ms: 180 * SECOND, watch_ms: 178_700 },
        Caveat::CannotGrow,
        Caveat::AliveTogether { alive_max: 1_019 },
        Caveat::WatchedTooBriefly { needed_ms: 60 * SECOND },
        too_little(0),
        too_little(1),
        too_little(3),
        Caveat::TooLittleUnread { count: 9, total: 9, unread_min_bytes: 4_096, count_min: 100 },
        Caveat::TooFewResponses { count: 3, count_min: 5 },
        Caveat::TooFewResponses { count: 1, count_min: 5 },
        Caveat::TooFewInherited { count: 2, count_min: 5 },
        Caveat::TooFewInherited { count: 1, count_min: 5 },
        Caveat::OpenerNotSeen,
        Caveat::ExecUnknown,
    ]
}
