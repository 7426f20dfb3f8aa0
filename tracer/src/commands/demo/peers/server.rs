use std::{
    io::{self, BufReader},
    net::{Ipv4Addr, TcpListener, TcpStream},
    thread,
};

use super::http;

/// A listener on a free port of 127.0.0.1.
pub(super) fn listen() -> io::Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
}

/// Answers every request on every connection. Returns only when `accept` fails.
pub(super) fn serve(listener: &TcpListener) -> io::Result<()> {
    loop {
        let (connection, _) = listener.accept()?;
        // An error concerns only this connection.
        thread::spawn(move || drop(answer(&connection)));
    }
}

/// Answers the requests on one connection until the client closes it.
fn answer(mut connection: &TcpStream) -> io::Result<()> {
    let mut requests = BufReader::new(connection);
    while http::read_head(&mut requests)?.is_some() {
        http::send_response(&mut connection)?;
    }
    Ok(())
}
