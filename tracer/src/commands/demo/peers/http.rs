use std::io::{self, BufRead, Read, Write};

/// Length of every response body in bytes: more than the few KiB that an HTTP client buffers.
pub(super) const BODY_LENGTH: usize = 8 * 1024;

/// Maximum length of a head (start line and headers) in bytes.
const HEAD_LENGTH_MAX: u64 = 16 * 1024;

/// Maximum length of a status line in bytes.
const STATUS_LINE_LENGTH_MAX: usize = 256;

/// Sends a request that keeps the connection open (HTTP/1.1 keep-alive).
pub(super) fn send_request(connection: &mut impl Write) -> io::Result<()> {
    connection.write_all(b"GET /price HTTP/1.1\r\nHost: demo\r\n\r\n")
}

/// Sends a response with a single write, so that all of it is in the receive queue at once.
pub(super) fn send_response(connection: &mut impl Write) -> io::Result<()> {
    let mut response = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {BODY_LENGTH}\r\n\r\n"
    )
    .into_bytes();
    response.resize(response.len() + BODY_LENGTH, b'.');
    connection.write_all(&response)
}

/// Reads a head including the empty line, and returns its first line; `None` at EOF before its first
/// byte.
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

/// Reads the status line, and no byte after it.
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
    Err(io::Error::other("the demo server sent a status line that is too long"))
}

/// Reads a complete body.
pub(super) fn drain_body(connection: &mut impl Read) -> io::Result<()> {
    connection.read_exact(&mut [0; BODY_LENGTH])
}
