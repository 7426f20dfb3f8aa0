use std::{
    io::{self, BufReader},
    net::{SocketAddr, TcpStream},
    thread,
    time::Duration,
};

use super::http;

/// Number of connections that are leaked: the demo must not exhaust the ports of the host.
pub(super) const LEAK_COUNT: u64 = 60;
/// Time between two leaked connections: more than a twelfth of the demo's `--idle`, so that each is
/// a separate event.
pub(super) const LEAK_PAUSE: Duration = Duration::from_millis(300);
/// Time between two requests on the healthy connection.
pub(super) const HEALTHY_PAUSE: Duration = Duration::from_secs(1);

/// Sends `count` requests, each on a new connection, and reads only the status line of each
/// response. The connections stay open.
pub(super) fn leak(server: SocketAddr, count: u64, pause: Duration) -> io::Result<Vec<TcpStream>> {
    let mut leaked = Vec::new();
    for _ in 0..count {
        let mut connection = TcpStream::connect(server)?;
        http::send_request(&mut connection)?;
        check_status(&http::read_status_line(&mut connection)?)?;
        leaked.push(connection);
        thread::sleep(pause);
    }
    Ok(leaked)
}

/// Sends `count` requests on one connection and reads every response to the end.
pub(super) fn keep_using(server: SocketAddr, count: u64, pause: Duration) -> io::Result<()> {
    let mut connection = BufReader::new(TcpStream::connect(server)?);
    for _ in 0..count {
        http::send_request(connection.get_mut())?;
        let status = http::read_head(&mut connection)?.ok_or(io::ErrorKind::UnexpectedEof)?;
        check_status(&status)?;
        http::drain_body(&mut connection)?;
        thread::sleep(pause);
    }
    Ok(())
}

fn check_status(line: &str) -> io::Result<()> {
    if line == "HTTP/1.1 200 OK" {
        Ok(())
    } else {
        Err(io::Error::other(format!("the demo server answered {line:?}")))
    }
}

#[cfg(test)]
mod tests {
    use std::{io::Read as _, net::TcpListener};

    use super::*;
    use crate::commands::demo::peers::server;

    fn start_server() -> SocketAddr {
        let listener = server::listen().unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || server::serve(&listener));
        address
    }

    #[test]
    fn only_the_status_line_of_a_leaked_response_is_read() {
        let leaked = leak(start_server(), 3, Duration::ZERO).unwrap();

        assert_eq!(leaked.len(), 3);
        for connection in leaked {
            let mut connection = BufReader::new(connection);
            let first_header = http::read_head(&mut connection).unwrap().unwrap();
            assert_eq!(first_header, "Content-Type: text/plain");
            http::drain_body(&mut connection).unwrap();
        }
    }

    #[test]
    fn each_leaked_response_has_its_own_open_connection() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let client = thread::spawn(move || leak(address, 4, Duration::ZERO));

        let mut accepted = Vec::new();
        for _ in 0..4 {
            let (mut connection, _) = listener.accept().unwrap();
            http::read_head(&mut BufReader::new(&connection)).unwrap();
            http::send_response(&mut connection).unwrap();
            accepted.push(connection);
        }

        let leaked = client.join().unwrap().unwrap();
        for connection in &mut accepted {
            connection.set_nonblocking(true).unwrap();
            let nothing_yet = connection.read(&mut [0]).unwrap_err();
            assert_eq!(nothing_yet.kind(), io::ErrorKind::WouldBlock);
        }
        drop(leaked);
    }

    #[test]
    fn the_healthy_connection_is_reused() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let client = thread::spawn(move || keep_using(address, 3, Duration::ZERO));

        let (mut connection, _) = listener.accept().unwrap();
        let mut requests = BufReader::new(connection.try_clone().unwrap());
        for _ in 0..3 {
            let request = http::read_head(&mut requests).unwrap();
            assert_eq!(request.as_deref(), Some("GET /price HTTP/1.1"));
            http::send_response(&mut connection).unwrap();
        }

        client.join().unwrap().unwrap();
        // The client has read everything: otherwise its close would send a reset.
        assert_eq!(http::read_head(&mut requests).unwrap(), None);
    }

    #[test]
    fn a_server_that_does_not_speak_http_is_an_error() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let client = thread::spawn(move || leak(address, 1, Duration::ZERO));

        let (mut connection, _) = listener.accept().unwrap();
        io::Write::write_all(&mut connection, b"SSH-2.0-demo\r\n").unwrap();

        let error = client.join().unwrap().unwrap_err();
        assert_eq!(error.to_string(), r#"the demo server answered "SSH-2.0-demo""#);
    }
}
