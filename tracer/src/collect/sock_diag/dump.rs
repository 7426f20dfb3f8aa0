//! The kernel's list of the TCP sockets of a network namespace (`man 7 sock_diag`).

use std::{io, net::SocketAddr as End};

use netlink_packet_core::{
    NLM_F_DUMP, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload,
};
use netlink_packet_sock_diag::{
    SockDiagMessage,
    inet::{ExtensionFlags, InetRequest, InetResponse, SocketId, StateFlags, Timer, nlas::Nla},
};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_SOCK_DIAG};

use super::{
    seen::{Endpoints, Queue, Seen},
    tcp_info::TcpInfo,
};
use tracer_inspect::clock;

/// `ICSK_TIME_RETRANS` and `ICSK_TIME_PROBE0` of `include/net/inet_connection_sock.h`.
const TIMER_RETRANSMIT: u8 = 1;
const TIMER_WINDOW_PROBE: u8 = 3;

/// All TCP sockets with a file in the network namespace of this thread, whose inode number is
/// `netns`.
///
/// # Errors
/// The kernel has no `sock_diag` for TCP, or is older than Linux 5.4.
pub(super) fn tcp_sockets(netns: u32) -> io::Result<Vec<Seen>> {
    let mut socket = Socket::new(NETLINK_SOCK_DIAG)?;
    socket.bind_auto()?;
    socket.connect(&SocketAddr::new(0, 0))?;
    let mut sockets = Vec::new();
    for (family, socket_id) in
        [(libc::AF_INET, SocketId::new_v4()), (libc::AF_INET6, SocketId::new_v6())]
    {
        let family = u8::try_from(family).map_err(io::Error::other)?;
        socket.send(&request(family, socket_id), 0)?;
        receive(&socket, netns, &mut sockets)?;
    }
    Ok(sockets)
}

fn request(family: u8, socket_id: SocketId) -> Vec<u8> {
    let mut header = NetlinkHeader::default();
    header.flags = NLM_F_REQUEST | NLM_F_DUMP;
    let request = InetRequest {
        family,
        protocol: 6,
        extensions: ExtensionFlags::INFO,
        states: StateFlags::all(),
        socket_id,
    };
    let mut message = NetlinkMessage::new(header, SockDiagMessage::InetRequest(request).into());
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);
    bytes
}

/// Receives one list to its end.
fn receive(socket: &Socket, netns: u32, sockets: &mut Vec<Seen>) -> io::Result<()> {
    loop {
        let (bytes, _) = socket.recv_from_full()?;
        let at = clock::now();
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            let message = NetlinkMessage::<SockDiagMessage>::deserialize(rest)
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error.to_string()))?;
            match message.payload {
                // A socket without an inode number has no file and therefore no holder.
                NetlinkPayload::InnerMessage(SockDiagMessage::InetResponse(response))
                    if response.header.inode != 0 =>
                {
                    sockets.push(seen(&response, netns, at)?);
                }
                NetlinkPayload::Done(_) => return Ok(()),
                NetlinkPayload::Error(error) => return Err(error.to_io()),
                _ => {}
            }
            // Messages are aligned to four bytes (`NLMSG_ALIGN`).
            let length = usize::try_from(message.header.length).unwrap_or(usize::MAX);
            rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        }
    }
}

fn seen(response: &InetResponse, netns: u32, at: tracer_core::Timestamp) -> io::Result<Seen> {
    let header = &response.header;
    let info = response.nlas.iter().find_map(|attribute| match attribute {
        Nla::TcpInfo(bytes) => TcpInfo::read(bytes),
        _ => None,
    });
    let id = &header.socket_id;
    Ok(Seen {
        cookie: u64::from_ne_bytes(id.cookie),
        inode: header.inode.into(),
        netns,
        at,
        endpoints: Endpoints {
            local: End::new(id.source_address, id.source_port),
            remote: Some(End::new(id.destination_address, id.destination_port)),
        },
        state: header.state,
        queue: Queue::WithEnd(header.recv_queue),
        unsent_bytes: header.send_queue,
        timer: match header.timer {
            Some(Timer::Retransmit(..)) => TIMER_RETRANSMIT,
            Some(Timer::Probe(_)) => TIMER_WINDOW_PROBE,
            _ => 0,
        },
        pending_error: None,
        info: info.ok_or_else(|| io::Error::other("the kernel is older than Linux 5.4"))?,
    })
}

#[cfg(test)]
mod tests {
    use std::{
        net::{TcpListener, TcpStream},
        os::fd::AsFd as _,
        os::unix::fs::MetadataExt as _,
    };

    use super::*;

    #[test]
    fn a_connection_is_listed_with_its_counters() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (server, _) = listener.accept().unwrap();
        io::Write::write_all(&mut &client, &[0; 100]).unwrap();
        io::Read::read_exact(&mut &server, &mut [0; 60]).unwrap();

        let file = std::fs::File::from(server.as_fd().try_clone_to_owned().unwrap());
        let inode = file.metadata().unwrap().ino();
        let sockets = tcp_sockets(1).unwrap();
        let seen = sockets.iter().find(|seen| seen.inode == inode).expect("it is listed");
        let facts = seen.facts(tracer_core::Owners::new(), None).unwrap();
        assert_eq!(
            (facts.local, facts.remote),
            (seen.endpoints.local, client.local_addr().unwrap())
        );
        assert_eq!((facts.rx_bytes, facts.unread_bytes), (100, 40));
        assert_eq!(facts.opened_actively, Some(false));
        assert_eq!((facts.fin_received, facts.pending_error), (Some(false), None));
    }
}
