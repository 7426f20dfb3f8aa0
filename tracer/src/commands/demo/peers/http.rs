use std::io::{self, BufRead, Read, Write};

/// Length of every response's body: more than the few KiB that an HTTP client reads ahead.
pub(super) const BODY_LENGTH: usize = 8 * 1024;

/// Longest head (start line and headers) that either side puts up with.
const HEAD_LENGTH_MAX: u64 = 16 * 1024;

/// Longest status line that the client puts up with.
const STATUS_LINE_LENGTH_MAX: usize = 256;

/// Sends a request that allows the connection to be used again.
pub(super) fn send_request(connection: &mut impl Write) -> io::Result<()> {
    connection.write_all(b"GET /price HTTP/1.1\r\nHost: demo\r\n\r\n")
}

/// Sends a response in one piece, so that all of it is there when its first byte is.
pub(super) fn send_response(connection: &mut impl Write) -> io::Result<()> {
    let mut response = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {BODY_LENGTH}\r\n\r\n"
    )
    .into_bytes();
    response.resize(response.len() + BODY_LENGTH, b'.');
    connection.write_all(&response)
}

/// Reads a head up to and with the empty line, and gives its first line; `None` if the peer closed
/// the connection instead of beginning one.
pub(super) fn read_head(connection: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut lines = connection.take(HEAD_LENGTH_MAX);
    let mut start = String::new();
    if lines.read_line(&mut start)? == 0 {
        return Ok(None);
    }
    loop {
        let mut header = String::new();
        if lines.read_line(&mut header)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if header == "\r\n" {
            return Ok(Some(start.trim_end().to_owned()));
        }
    }
}

/// Reads the status line and not one byte more.
pub(super) fn read_status_line(connection: &mut impl Read) -> io::Result<String> {
    let mut line = Vec::new();
    let mut byte = [0];
    while line.len() < STATUS_LINE_LENGTH_MAX {
        connection.read_exact(&mut byte)?;
        if byte == *b"\n" {
            return Ok(String::from_utf8_lossy(&line).trim_end().to_owned());
        }
        line.extend(byte);
    }
    Err(io::Error::other("the demo server answered with an endless status line"))
}

/// Reads a body to its end.
pub(super) fn drain_body(connection: &mut impl Read) -> io::Result<()> {
    connection.read_exact(&mut [0; BODY_LENGTH])
}
