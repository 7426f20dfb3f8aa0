//! open HTTP responses, and call sites.

use super::{call_site_reason::CallSiteReason, process::ProcessKey, time::Time};
use crate::recording::list_delta::whole_list_item;

wire_newtype! {
    /// Number of a user stack in the kernel's stack map.
    #[derive(Copy, PartialOrd, Ord, Hash)]
    StackId(u32) mirrors tracer_core::StackId
}

wire_struct! {
    #[derive(Copy)]
    HttpStream mirrors tracer_core::HttpStream {
        id: u32,
        held_bytes: u64,
        read_mark: u64,
    }
}

wire_struct! {
    OpenResponse mirrors tracer_core::OpenResponse {
        fd: u32,
        since: Time,
        stack: Option<StackId>,
        stream: Option<HttpStream>,
    }
}

whole_list_item!(OpenResponse, (u32, Time, Option<StackId>, Option<u32>), |response| {
    let stream = response.stream.map(|HttpStream { id, .. }| id);
    (response.fd, response.since, response.stack, stream)
});

wire_struct! {
    CallSite mirrors tracer_core::CallSite {
        process: ProcessKey,
        stack: StackId,
        location: Option<String>,
        reason: Option<CallSiteReason>,
    }
}
