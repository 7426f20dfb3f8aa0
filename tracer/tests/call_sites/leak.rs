//! Opens and accepts connections and never closes them, each in a function of its own, which the
//! tests look for in the stack. Commands are read line by line, like those of `leak.c`.

use std::{
    io::{self, Write},
    net::{TcpListener, TcpStream},
    os::fd::IntoRawFd,
    thread,
};

#[inline(never)]
fn leak_one(port: u16) -> i32 {
    let stream = TcpStream::connect(("127.0.0.1", port)).unwrap(); // leak_one
    stream.into_raw_fd()
}

#[inline(never)]
fn accept_one(listener: &TcpListener) -> i32 {
    let (stream, _) = listener.accept().unwrap(); // accept_one
    stream.into_raw_fd()
}

fn main() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    say("ready");
    for line in io::stdin().lines() {
        let line = line.unwrap();
        let (command, port) = line.split_once(' ').unwrap_or((&line, "0"));
        let port = port.parse().unwrap();
        let result = match command {
            "connect" => leak_one(port),
            "connect-thread" => thread::spawn(move || leak_one(port)).join().unwrap(),
            "listen" => listener.local_addr().unwrap().port().into(),
            "accept" => accept_one(&listener),
            _ => panic!("not a command: {line}"),
        };
        say(&format!("ok {result}"));
    }
}

fn say(line: &str) {
    println!("{line}");
    io::stdout().flush().unwrap();
}
