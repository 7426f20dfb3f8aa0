use std::{
    io,
    net::{SocketAddr, TcpListener, TcpStream},
    thread,
};

/// Opens and closes `count` connections, one after the other.
pub(crate) fn connect_and_close(address: SocketAddr, count: usize) -> io::Result<()> {
    for _ in 0..count {
        drop(TcpStream::connect(address)?);
    }
    Ok(())
}

/// Accepts and closes whatever comes, in a thread, as long as the program runs.
pub(crate) fn accept_and_close(listener: TcpListener) {
    thread::spawn(move || {
        for stream in listener.incoming() {
            drop(stream);
        }
    });
}
