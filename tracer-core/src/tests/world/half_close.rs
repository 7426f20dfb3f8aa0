//! Connections of which one side is closed by `shutdown(SHUT_WR)`.

use super::{World, acknowledge};
use crate::{EventKind, TcpState};

impl World {
    /// The application sends its FIN and keeps the socket, and the peer acknowledges the FIN. If the
    /// peer has closed before, that ends the connection.
    pub(in super::super) fn shutdown(&mut self, name: &str) {
        let now = self.now;
        let Some(socket) = self.sockets.get_mut(name) else { return };
        socket.write_sequence += 1;
        acknowledge(socket, now);
        if socket.state == TcpState::CloseWait {
            return self.dies(name, TcpState::LastAck);
        }
        socket.state = TcpState::FinWait2;
    }

    pub(super) fn is_half_closed(&self, name: &str) -> bool {
        self.sockets.get(name).is_some_and(|socket| socket.state == TcpState::FinWait2)
    }

    /// The peer of a half-closed connection closes as well.
    pub(super) fn peer_closes_last(&mut self, name: &str) {
        self.dies(name, TcpState::FinWait2);
    }

    fn dies(&mut self, name: &str, from: TcpState) {
        let now = self.now;
        let Some(socket) = self.sockets.get_mut(name) else { return };
        (socket.state, socket.fin_received, socket.drained) =
            (TcpState::Closed, Some(true), from == TcpState::LastAck);
        acknowledge(socket, now);
        let facts = socket.clone();
        self.emit(&facts, EventKind::StateChanged { from, to: TcpState::Closed });
    }
}
