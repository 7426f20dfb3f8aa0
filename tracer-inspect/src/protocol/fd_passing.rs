//! Messages that carry a file descriptor (`SCM_RIGHTS`, unix(7)): at most one.

use std::{
    io::{IoSlice, IoSliceMut},
    mem::MaybeUninit,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use rustix::{
    cmsg_space,
    io::Result,
    net::{
        RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
        SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
    },
};

/// Sends bytes, the first of which carries the file descriptor, if there is one. Returns how many
/// were sent.
///
/// # Errors
/// The socket failed, or its buffer is full and the flags say not to wait.
pub fn send(
    socket: impl AsFd,
    bytes: &[u8],
    file: Option<BorrowedFd<'_>>,
    flags: SendFlags,
) -> Result<usize> {
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if file.is_some() {
        control.push(SendAncillaryMessage::ScmRights(file.as_slice()));
    }
    sendmsg(socket, &[IoSlice::new(bytes)], &mut control, flags | SendFlags::NOSIGNAL)
}

/// What was received at once.
#[derive(Debug)]
pub struct Received {
    /// Number of bytes; 0 if the other end is closed.
    pub length: usize,
    /// A file descriptor, which belongs to the last of the messages that the bytes are from.
    pub file: Option<OwnedFd>,
}

/// Receives what has arrived. The kernel closes file descriptors for which there is no room: all
/// but one.
///
/// # Errors
/// Nothing has arrived on a socket that does not wait, or the socket failed.
pub fn receive(socket: impl AsFd, buffer: &mut [u8]) -> Result<Received> {
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let buffers = &mut [IoSliceMut::new(buffer)];
    let received = recvmsg(socket, buffers, &mut control, RecvFlags::CMSG_CLOEXEC)?;
    let files = control.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(files) => Some(files),
        _ => None,
    });
    Ok(Received { length: received.bytes, file: files.flatten().last() })
}
