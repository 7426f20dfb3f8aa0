use std::{
    collections::BTreeMap,
    fs::File,
    io,
    net::{TcpListener, TcpStream},
    os::{
        fd::{AsRawFd as _, RawFd},
        unix::net::UnixListener,
    },
};

/// The sockets that the program holds, by file descriptor.
#[derive(Default)]
pub(crate) struct Puppet {
    streams: BTreeMap<RawFd, TcpStream>,
    listeners: BTreeMap<RawFd, TcpListener>,
    unix_listener: Option<UnixListener>,
    /// Open files that are not sockets.
    files: Vec<File>,
}

impl Puppet {
    /// Keeps a connection open and returns its file descriptor.
    pub(crate) fn keep_stream(&mut self, stream: TcpStream) -> RawFd {
        let fd = stream.as_raw_fd();
        self.streams.insert(fd, stream);
        fd
    }

    /// Keeps a listener open and returns its file descriptor.
    pub(crate) fn keep_listener(&mut self, listener: TcpListener) -> RawFd {
        let fd = listener.as_raw_fd();
        self.listeners.insert(fd, listener);
        fd
    }

    /// The connection of a file descriptor.
    pub(crate) fn stream(&mut self, fd: RawFd) -> io::Result<&mut TcpStream> {
        self.streams.get_mut(&fd).ok_or_else(|| missing(fd, "connection"))
    }

    /// The listener of a file descriptor.
    pub(crate) fn listener(&self, fd: RawFd) -> io::Result<&TcpListener> {
        self.listeners.get(&fd).ok_or_else(|| missing(fd, "listener"))
    }

    /// Removes a listener and returns it.
    pub(crate) fn take_listener(&mut self, fd: RawFd) -> io::Result<TcpListener> {
        self.listeners.remove(&fd).ok_or_else(|| missing(fd, "listener"))
    }

    /// Removes a connection and returns it.
    pub(crate) fn take_stream(&mut self, fd: RawFd) -> io::Result<TcpStream> {
        self.streams.remove(&fd).ok_or_else(|| missing(fd, "connection"))
    }

    /// Keeps files open.
    pub(crate) fn keep_files(&mut self, files: Vec<File>) {
        self.files.extend(files);
    }

    /// Closes one file descriptor.
    pub(crate) fn close(&mut self, fd: RawFd) -> Result<(), Box<dyn std::error::Error>> {
        if self.streams.remove(&fd).is_none() {
            self.take_listener(fd)?;
        }
        Ok(())
    }

    /// Closes every connection and listener.
    pub(crate) fn close_all(&mut self) {
        self.streams.clear();
        self.listeners.clear();
    }

    /// Listens for passed file descriptors at `path` from now on.
    pub(crate) fn listen_unix(&mut self, path: &str) -> io::Result<()> {
        self.unix_listener = Some(UnixListener::bind(path)?);
        Ok(())
    }

    /// The listener at which passed file descriptors arrive.
    pub(crate) fn unix_listener(&self) -> io::Result<&UnixListener> {
        self.unix_listener.as_ref().ok_or_else(|| io::Error::other("listen-unix comes first"))
    }
}

fn missing(fd: RawFd, kind: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::NotFound,
        format!("file descriptor {fd} is no {kind} of this puppet"),
    )
}
