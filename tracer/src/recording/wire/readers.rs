//! What an inspection of a process found out about the readers of its connections.

use tracer_core::Reachability;

use super::{Wire, socket::ConnectionId};
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
    /// What can reach a response. Formats before 10 have only the first three: nobody and somebody
    /// are what a search of the stacks found.
    Held {
        Unknown,
        Nobody,
        Somebody,
        Dropped,
        By(holder: ResponseHolder),
    }
}

impl Wire for Held {
    type Core = Reachability;

    fn from_core(core: &Reachability) -> Self {
        match core {
            Reachability::Unknown => Self::Unknown,
            Reachability::NotOnStack => Self::Nobody,
            Reachability::Dropped => Self::Dropped,
            Reachability::Held(None) => Self::Somebody,
            Reachability::Held(Some(holder)) => Self::By(ResponseHolder::from_core(holder)),
        }
    }

    fn to_core(&self) -> Reachability {
        match self {
            Self::Unknown => Reachability::Unknown,
            Self::Nobody => Reachability::NotOnStack,
            Self::Dropped => Reachability::Dropped,
            Self::Somebody => Reachability::Held(None),
            Self::By(holder) => Reachability::Held(Some(Box::new(holder.to_core()))),
        }
    }
}

wire_enum! {
    #[derive(Copy)]
    HolderKind mirrors tracer_core::HolderKind {
        Goroutine,
        Closure,
        Channel,
        Map,
        Slice,
        Timer,
        Global,
        Object,
    }
}

wire_struct! {
    ResponseHolder mirrors tracer_core::ResponseHolder {
        kind: HolderKind,
        name: Option<String>,
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
    HttpConnection {
        stage: HttpStage,
        transport: u64,
        request: Option<String>,
        held: Held,
    }
}

impl Wire for HttpConnection {
    type Core = tracer_core::HttpConnection;

    fn from_core(core: &Self::Core) -> Self {
        let tracer_core::HttpConnection { stage, transport, request, reachability } = core;
        Self {
            stage: HttpStage::from_core(stage),
            transport: *transport,
            request: request.clone(),
            held: Held::from_core(reachability),
        }
    }

    fn to_core(&self) -> Self::Core {
        let Self { stage, transport, request, held } = self;
        tracer_core::HttpConnection {
            stage: stage.to_core(),
            transport: *transport,
            request: request.clone(),
            reachability: held.to_core(),
        }
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
