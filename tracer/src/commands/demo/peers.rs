//! The two programs that `tracer demo` starts and traces: an HTTP server, and a client with a common
//! leak: it reads the status line of each response, and neither reads the body nor closes the
//! connection.
//!
//! Both exit at EOF on their standard input, so neither outlives the demo.

mod client;
mod http;
mod server;

use std::{
    io::{self, Read as _, Write as _},
    net::SocketAddr,
    sync::mpsc::{Sender, channel},
    thread,
};

/// Serves on a free port of 127.0.0.1 until EOF on standard input. The port is the first line of
/// standard output.
///
/// # Errors
/// The port cannot be bound or printed, or connections can no longer be accepted.
pub(crate) fn run_server() -> io::Result<()> {
    let listener = server::listen()?;
    print_port(listener.local_addr()?.port())?;
    until_eof(|ended| ended.spawn(move || server::serve(&listener)))
}

/// Leaks connections to `server`, and uses a healthy one, until EOF on standard input.
///
/// # Errors
/// The server refuses a connection or does not speak HTTP.
pub(crate) fn run_client(server: SocketAddr) -> io::Result<()> {
    until_eof(|ended| {
        ended.spawn(move || {
            let _leaked = client::leak(server, client::LEAK_COUNT, client::LEAK_PAUSE)?;
            loop {
                thread::park();
            }
        });
        ended.spawn(move || client::keep_using(server, u64::MAX, client::HEALTHY_PAUSE));
    })
}

fn print_port(port: u16) -> io::Result<()> {
    let mut stdout = io::stdout();
    writeln!(stdout, "{port}")?;
    stdout.flush()
}

/// Starts threads that send their result when they finish.
struct Ended(Sender<io::Result<()>>);

impl Ended {
    fn spawn(&self, work: impl FnOnce() -> io::Result<()> + Send + 'static) {
        let ended = self.0.clone();
        // The send fails if the program is exiting.
        thread::spawn(move || drop(ended.send(work())));
    }
}

/// Starts threads and returns at EOF on standard input, or when the first thread finishes.
fn until_eof(start: impl FnOnce(&Ended)) -> io::Result<()> {
    let (sender, receiver) = channel();
    let ended = Ended(sender);
    start(&ended);
    ended.spawn(|| io::stdin().read_to_end(&mut Vec::new()).map(drop));
    receiver.recv().unwrap_or(Ok(()))
}
