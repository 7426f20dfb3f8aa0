use std::{
    collections::VecDeque,
    fs::File,
    io::{self, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    thread,
    time::{Duration, Instant},
};

/// A request or a response.
const MESSAGE: [u8; 20] = [b'x'; 20];

/// Sends a request from each client to its server, and a response back.
pub(crate) fn exchange(pairs: &mut [(TcpStream, TcpStream)]) -> io::Result<()> {
    let mut received = [0; MESSAGE.len()];
    for (client, server) in pairs {
        client.write_all(&MESSAGE)?;
        server.read_exact(&mut received)?;
        server.write_all(&MESSAGE)?;
        client.read_exact(&mut received)?;
    }
    Ok(())
}

/// Exchanges messages on these connections repeatedly, in a thread, until one fails.
pub(crate) fn exchange_every(pause: Duration, mut pairs: Vec<(TcpStream, TcpStream)>) {
    thread::spawn(move || {
        while exchange(&mut pairs).is_ok() {
            thread::sleep(pause);
        }
    });
}

/// Opens a connection every `pause`, exchanges messages on it, and closes both ends after `kept`,
/// in a thread, until that fails.
pub(crate) fn visit_every(pause: Duration, kept: Duration, address: SocketAddr) -> io::Result<()> {
    let listener = TcpListener::bind(address)?;
    let address = listener.local_addr()?;
    thread::spawn(move || {
        let mut open = VecDeque::new();
        while let Ok(pair) = visit(&listener, address) {
            open.push_back((Instant::now(), pair));
            while open.front().is_some_and(|(since, _)| since.elapsed() >= kept) {
                open.pop_front();
            }
            thread::sleep(pause);
        }
    });
    Ok(())
}

fn visit(listener: &TcpListener, address: SocketAddr) -> io::Result<(TcpStream, TcpStream)> {
    let client = TcpStream::connect(address)?;
    let (server, _) = listener.accept()?;
    let mut pair = [(client, server)];
    exchange(&mut pair)?;
    let [pair] = pair;
    Ok(pair)
}

/// Opens this many files that are not sockets.
pub(crate) fn open_files(count: usize) -> io::Result<Vec<File>> {
    (0..count).map(|_| File::open("/dev/null")).collect()
}
