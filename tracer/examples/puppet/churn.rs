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

/// Opens `count` connections one after the other, accepts each, and closes both ends. No other
/// thread has to come by, so what it takes is what the kernel takes.
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
