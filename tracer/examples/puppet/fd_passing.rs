use std::{
    io,
    mem::MaybeUninit,
    net::TcpStream,
    os::{
        fd::{AsRawFd as _, FromRawFd as _, RawFd},
        unix::net::{UnixListener, UnixStream},
    },
};

/// Space for a control message with one file descriptor, aligned as `cmsghdr` must be.
#[repr(C, align(8))]
struct Control([u8; 64]);

/// Passes a socket to the process that listens at `path` (`SCM_RIGHTS`). It is in flight once this
/// returns, and this process still holds it as well.
pub(crate) fn send(path: &str, stream: &TcpStream) -> io::Result<()> {
    let channel = UnixStream::connect(path)?;
    with_message(|message| {
        // SAFETY: the message's control buffer is 64 zeroed bytes, more than CMSG_SPACE of one file
        // descriptor, so the first header and its data are within it.
        unsafe {
            message.msg_controllen = libc::CMSG_SPACE(FD_LENGTH) as _;
            let header = libc::CMSG_FIRSTHDR(message);
            (*header).cmsg_level = libc::SOL_SOCKET;
            (*header).cmsg_type = libc::SCM_RIGHTS;
            (*header).cmsg_len = libc::CMSG_LEN(FD_LENGTH) as _;
            libc::CMSG_DATA(header).cast::<RawFd>().write_unaligned(stream.as_raw_fd());
        }
        // SAFETY: `with_message` made every pointer in the message valid for the call.
        check(unsafe { libc::sendmsg(channel.as_raw_fd(), message, 0) })
    })
}

/// Receives a socket that was passed to this process; waits for it if necessary.
pub(crate) fn receive(listener: &UnixListener) -> io::Result<TcpStream> {
    let (channel, _) = listener.accept()?;
    with_message(|message| {
        // SAFETY: `with_message` made every pointer in the message valid for the call.
        check(unsafe { libc::recvmsg(channel.as_raw_fd(), message, libc::MSG_CMSG_CLOEXEC) })?;
        // SAFETY: the kernel wrote the control buffer that the message describes.
        let header = unsafe { libc::CMSG_FIRSTHDR(message) };
        if header.is_null() {
            return Err(io::Error::other("the message carries no file descriptor"));
        }
        // SAFETY: a header that CMSG_FIRSTHDR returns is within the control buffer, and so is the
        // file descriptor after it, the only data that `send` puts there.
        let fd = unsafe { libc::CMSG_DATA(header).cast::<RawFd>().read_unaligned() };
        // SAFETY: the kernel has just created this file descriptor for this process; nothing else
        // owns it.
        Ok(unsafe { TcpStream::from_raw_fd(fd) })
    })
}

const FD_LENGTH: u32 = 4;

/// Calls `action` with a message of one byte and room for one file descriptor.
fn with_message<T>(action: impl FnOnce(&mut libc::msghdr) -> io::Result<T>) -> io::Result<T> {
    let mut control = Control([0; 64]);
    let mut byte = 0_u8;
    let mut part = libc::iovec { iov_base: (&raw mut byte).cast(), iov_len: 1 };
    // SAFETY: `msghdr` consists of integers and pointers, for which zeros are valid.
    let mut message: libc::msghdr = unsafe { MaybeUninit::zeroed().assume_init() };
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    message.msg_control = control.0.as_mut_ptr().cast();
    message.msg_controllen = control.0.len() as _;
    action(&mut message)
}

fn check(result: isize) -> io::Result<()> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
