//! The two programs that `tracer demo` starts and traces: an HTTP server, and a client with the
//! leak of the README's story. It looks at the status line of each response and never reads the
//! body nor closes the connection.
//!
//! Both end when their standard input does, so neither outlives the demo, however that ends.

mod client;
mod http;
mod server;

use std::{
    io::{self, Read as _, Write as _},
    net::SocketAddr,
    sync::mpsc::{Sender, channel},
    thread,
};

/// Serves on a free port of 127.0.0.1, printed as the first line of standard output, until
/// standard input ends.
///
/// # Errors
/// The port cannot be bound or printed, or connections can no longer be accepted.
pub(crate) fn run_server() -> io::Result<()> {
    let listener = server::listen()?;
    print_port(listener.local_addr()?.port())?;
    until_input_ends(|ended| ended.spawn(move || server::serve(&listener)))
}

/// Leaks connections to `server`, and keeps a healthy one beside them, until standard input ends.
///
/// # Errors
/// The server refuses a connection or does not speak HTTP.
pub(crate) fn run_client(server: SocketAddr) -> io::Result<()> {
    until_input_ends(|ended| {
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

/// Starts threads that report how they ended.
struct Ended(Sender<io::Result<()>>);

impl Ended {
    fn spawn(&self, work: impl FnOnce() -> io::Result<()> + Send + 'static) {
        let ended = self.0.clone();
        // A failed send means that the program is on its way out already.
        thread::spawn(move || drop(ended.send(work())));
    }
}

/// Starts work in threads and returns at the end of standard input or at the first thread's.
fn until_input_ends(start: impl FnOnce(&Ended)) -> io::Result<()> {
    let (sender, receiver) = channel();
    let ended = Ended(sender);
    start(&ended);
    ended.spawn(|| io::stdin().read_to_end(&mut Vec::new()).map(drop));
    receiver.recv().unwrap_or(Ok(()))
}
