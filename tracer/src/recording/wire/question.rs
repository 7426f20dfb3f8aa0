//! Questions that were not answered.

use super::{ledger::StackId, process::ProcessKey};

wire_enum! {
    #[derive(Copy)]
    QuestionKind mirrors tracer_core::QuestionKind {
        Process,
        Readers,
        CallSite,
        Responses,
    }
}

wire_enum! {
    #[derive(Copy)]
    NoAnswer mirrors tracer_core::NoAnswer {
        Ended,
        OutOfTime,
        Failed,
    }
}

wire_enum! {
    #[derive(Copy)]
    Subject mirrors tracer_core::Subject {
        Process(process: ProcessKey),
        Readers(process: ProcessKey),
        CallSite(process: ProcessKey, stack: StackId),
        Responses(process: ProcessKey),
    }
}
