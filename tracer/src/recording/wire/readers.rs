//! What an inspection of a process found out about the readers of its connections.

use super::socket::ConnectionId;
use crate::recording::list_delta::whole_list_item;

wire_enum! {
    #[derive(Copy)]
    Reader mirrors tracer_core::Reader {
        Unknown,
        None,
        Goroutine,
        Thread,
        Epoll,
        Mixed,
    }
}

wire_enum! {
    #[derive(Copy)]
    Held mirrors tracer_core::Held {
        Unknown,
        Nobody,
        Somebody,
    }
}

wire_enum! {
    #[derive(Copy)]
    HttpStage mirrors tracer_core::HttpStage {
        AwaitingBody,
        Idle,
    }
}

wire_struct! {
    HttpConnection mirrors tracer_core::HttpConnection {
        stage: HttpStage,
        transport: u64,
        request: Option<String>,
        held: Held,
    }
}

wire_struct! {
    ReaderFacts mirrors tracer_core::ReaderFacts {
        id: ConnectionId,
        reader: Reader,
        is_registered: bool,
        http: Option<HttpConnection>,
    }
}

whole_list_item!(ReaderFacts, ConnectionId, |facts| facts.id);

wire_struct! {
    Goroutines mirrors tracer_core::Goroutines {
        total: u64,
        read_loops: u64,
        write_loops: u64,
    }
}
