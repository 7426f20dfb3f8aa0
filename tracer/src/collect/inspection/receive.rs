//! Receives what a worker sends: bytes, and file descriptors of programs.

use std::{
    io::{self, IoSliceMut},
    mem::MaybeUninit,
    os::fd::OwnedFd,
};

use rustix::{
    cmsg_space,
    net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg},
};
use tokio::{io::Interest, net::UnixStream};

/// What was received at once.
pub(super) struct Received {
    /// Number of bytes; 0 if the other end is closed.
    pub(super) length: usize,
    /// A file descriptor, which belongs to the last of the messages that the bytes are from.
    pub(super) file: Option<OwnedFd>,
}

/// Receives what has arrived, without waiting. The kernel closes file descriptors for which there is
/// no room: all but one.
///
/// # Errors
/// Nothing has arrived (`ErrorKind::WouldBlock`), or the socket failed.
pub(super) fn receive(socket: &UnixStream, buffer: &mut [u8]) -> io::Result<Received> {
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let received = socket.try_io(Interest::READABLE, || {
        let buffers = &mut [IoSliceMut::new(buffer)];
        Ok(recvmsg(socket, buffers, &mut control, RecvFlags::CMSG_CLOEXEC)?)
    })?;
    let files = control.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(files) => Some(files),
        _ => None,
    });
    Ok(Received { length: received.bytes, file: files.flatten().last() })
}
