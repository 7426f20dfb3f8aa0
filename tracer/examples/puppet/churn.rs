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

/// Accepts connections and closes them, in a thread, until the program exits.
pub(crate) fn accept_and_close(listener: TcpListener) {
    thread::spawn(move || {
        for stream in listener.incoming() {
            drop(stream);
        }
    });
}

/// Opens `count` connections one after the other, accepts each, and closes both ends. No other
/// thread is involved, so the time is that of the kernel.
pub(crate) fn both_ends(address: SocketAddr, count: usize) -> io::Result<()> {
    let listener = TcpListener::bind(address)?;
    let address = listener.local_addr()?;
    for _ in 0..count {
        let stream = TcpStream::connect(address)?;
        drop(listener.accept()?);
        drop(stream);
    }
    Ok(())
}
