use std::{
    error::Error,
    fs,
    io::{Read as _, Write as _},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    os::fd::RawFd,
    thread,
    time::Duration,
};

use crate::{churn, fd_passing, network, process, puppet::Puppet, socket, traffic};

/// The words after `ok`, or the reason after `error`.
pub(crate) type Answer = Result<Vec<String>, Box<dyn Error>>;

/// Executes the command in one line. `FDS` is a comma-separated list; `ADDRESS` is `127.0.0.1:80`
/// or `[::1]:80`.
///
/// An `ADDRESS` of `[::ffff:127.0.0.1]:80` gives an IPv6 socket that uses IPv4.
pub(crate) fn run(puppet: &mut Puppet, line: &str) -> Answer {
    let words: Vec<&str> = line.split_whitespace().collect();
    match words.as_slice() {
        // Answers the file descriptor and the port.
        ["listen", address] => {
            let listener = TcpListener::bind(address.parse::<SocketAddr>()?)?;
            let port = listener.local_addr()?.port();
            Ok(vec![puppet.keep_listener(listener).to_string(), port.to_string()])
        }
        // These answer the file descriptors.
        ["connect", address, count] => connect(puppet, address, count, "0"),
        ["connect", address, count, "every", pause_ms] => connect(puppet, address, count, pause_ms),
        ["thread-connect", address, count] => {
            let (address, count) = (address.parse()?, count.parse()?);
            let streams = socket::connect_from_a_thread(address, count)?;
            Ok(streams.into_iter().map(|stream| puppet.keep_stream(stream).to_string()).collect())
        }
        ["accept", listener, count] => accept(puppet, listener.parse()?, count.parse()?),
        ["dup", fd] => {
            let copy = puppet.stream(fd.parse()?)?.try_clone()?;
            Ok(vec![puppet.keep_stream(copy).to_string()])
        }

        ["send", fds, length] => {
            let bytes = vec![b'x'; length.parse()?];
            each(fds, |fd| Ok(puppet.stream(fd)?.write_all(&bytes)?))
        }
        ["receive", fds, "all"] => {
            each(fds, |fd| Ok(puppet.stream(fd)?.read_to_end(&mut Vec::new()).map(drop)?))
        }
        ["receive", fds, length] => {
            let mut buffer = vec![0; length.parse()?];
            each(fds, |fd| Ok(puppet.stream(fd)?.read_exact(&mut buffer)?))
        }
        ["shutdown", fds] => each(fds, |fd| Ok(puppet.stream(fd)?.shutdown(Shutdown::Write)?)),
        ["close", fds] => each(fds, |fd| puppet.close(fd)),
        ["close-all"] => {
            puppet.close_all();
            Ok(Vec::new())
        }
        ["reset", fds] => each(fds, |fd| {
            socket::reset_on_close(puppet.stream(fd)?)?;
            puppet.close(fd)
        }),

        // These answer when the socket has reached that state in the kernel.
        ["await-state", fds, state] => {
            each(fds, |fd| Ok(socket::await_state(puppet.stream(fd)?, state)?))
        }
        ["await-unread", fds, length] => {
            let length = length.parse()?;
            each(fds, |fd| Ok(socket::await_unread(puppet.stream(fd)?, length)?))
        }

        // Connects and closes repeatedly; the other end requires `accept-and-close`.
        ["churn", address, count] => {
            churn::connect_and_close(address.parse()?, count.parse()?)?;
            Ok(Vec::new())
        }
        // The same with both ends in this process.
        ["churn-both-ends", address, count] => {
            churn::both_ends(address.parse()?, count.parse()?)?;
            Ok(Vec::new())
        }
        ["accept-and-close", listener] => {
            churn::accept_and_close(puppet.take_listener(listener.parse()?)?);
            Ok(Vec::new())
        }

        // Answers the child's pid. The child holds all file descriptors of its parent, and does
        // nothing.
        ["fork"] => Ok(vec![process::fork()?.to_string()]),
        ["kill-child", pid] => {
            process::kill_child(pid.parse()?)?;
            Ok(Vec::new())
        }
        // The name is in hexadecimal, so it can contain any byte.
        ["comm", name] => {
            fs::write("/proc/self/comm", decode_hexadecimal(name)?)?;
            Ok(Vec::new())
        }
        // A network namespace of its own, with a loopback interface.
        ["own-network"] => {
            network::leave()?;
            Ok(Vec::new())
        }

        // `send-fd` passes a socket to the `receive-fd` of another puppet, over a Unix socket at a
        // path.
        ["listen-unix", path] => {
            puppet.listen_unix(path)?;
            Ok(Vec::new())
        }
        ["send-fd", path, fd] => {
            fd_passing::send(path, puppet.stream(fd.parse()?)?)?;
            Ok(Vec::new())
        }
        ["receive-fd"] => {
            let stream = fd_passing::receive(puppet.unix_listener()?)?;
            Ok(vec![puppet.keep_stream(stream).to_string()])
        }
        words => {
            traffic(puppet, words).unwrap_or_else(|| Err(format!("not a command: {line}").into()))
        }
    }
}

/// The commands that generate traffic; `None` for all others.
fn traffic(puppet: &mut Puppet, words: &[&str]) -> Option<Answer> {
    Some(match words {
        ["exchange", clients, servers] => exchange(puppet, clients, servers),
        ["exchange", clients, servers, "every", pause_ms] => {
            exchange_every(puppet, clients, servers, pause_ms)
        }
        ["visit", address, "every", pause_ms, "keep", kept_ms] => {
            visit_every(address, pause_ms, kept_ms)
        }
        ["open-files", count] => open_files(puppet, count),
        // The duplicates stay open. The limit of open files is raised for them.
        ["dup", fd, "times", count] => dup_many(puppet, fd, count),
        _ => return None,
    })
}

/// The first file descriptors are those of clients, the others those of their servers, in the same
/// order.
fn exchange(puppet: &mut Puppet, clients: &str, servers: &str) -> Answer {
    let mut pairs = take_pairs(puppet, clients, servers)?;
    traffic::exchange(&mut pairs)?;
    for (client, server) in pairs {
        puppet.keep_stream(client);
        puppet.keep_stream(server);
    }
    Ok(Vec::new())
}

fn exchange_every(puppet: &mut Puppet, clients: &str, servers: &str, pause_ms: &str) -> Answer {
    let pairs = take_pairs(puppet, clients, servers)?;
    traffic::exchange_every(Duration::from_millis(pause_ms.parse()?), pairs);
    Ok(Vec::new())
}

/// Opens a connection periodically, uses it, and closes both ends after some time.
fn visit_every(address: &str, pause_ms: &str, kept_ms: &str) -> Answer {
    let [pause, kept] = [pause_ms, kept_ms].map(|it| it.parse().map(Duration::from_millis));
    traffic::visit_every(pause?, kept?, address.parse()?)?;
    Ok(Vec::new())
}

fn dup_many(puppet: &mut Puppet, fd: &str, count: &str) -> Answer {
    socket::dup_many(puppet.stream(fd.parse()?)?, count.parse()?)?;
    Ok(Vec::new())
}

/// Opens files that are not sockets.
fn open_files(puppet: &mut Puppet, count: &str) -> Answer {
    puppet.keep_files(traffic::open_files(count.parse()?)?);
    Ok(Vec::new())
}

fn connect(puppet: &mut Puppet, address: &str, count: &str, pause_ms: &str) -> Answer {
    let address: SocketAddr = address.parse()?;
    let pause = Duration::from_millis(pause_ms.parse()?);
    let mut fds = Vec::new();
    for number in 0..count.parse()? {
        if number > 0 {
            thread::sleep(pause);
        }
        fds.push(puppet.keep_stream(TcpStream::connect(address)?).to_string());
    }
    Ok(fds)
}

fn accept(puppet: &mut Puppet, listener: RawFd, count: usize) -> Answer {
    let mut fds = Vec::new();
    for _ in 0..count {
        let (stream, _) = puppet.listener(listener)?.accept()?;
        fds.push(puppet.keep_stream(stream).to_string());
    }
    Ok(fds)
}

fn take_pairs(
    puppet: &mut Puppet,
    clients: &str,
    servers: &str,
) -> Result<Vec<(TcpStream, TcpStream)>, Box<dyn Error>> {
    let mut pairs = Vec::new();
    for (client, server) in clients.split(',').zip(servers.split(',')) {
        pairs.push((puppet.take_stream(client.parse()?)?, puppet.take_stream(server.parse()?)?));
    }
    Ok(pairs)
}

fn each(fds: &str, mut action: impl FnMut(RawFd) -> Result<(), Box<dyn Error>>) -> Answer {
    for fd in fds.split(',') {
        action(fd.parse()?)?;
    }
    Ok(Vec::new())
}

fn decode_hexadecimal(digits: &str) -> Result<Vec<u8>, Box<dyn Error>> {
    digits
        .as_bytes()
        .chunks(2)
        .map(|pair| Ok(u8::from_str_radix(str::from_utf8(pair)?, 16)?))
        .collect()
}
