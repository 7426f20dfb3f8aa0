//! Waits for input in a closure, so that a test can examine its stack.

use std::{hint::black_box, io::Read};

struct Client;

trait Fetch {
    fn fetch(&self) -> usize;
}

#[inline(never)]
fn ask() -> usize {
    let mut byte = [0];
    std::io::stdin().read(&mut byte).unwrap_or(0) + black_box(1)
}

impl Fetch for Client {
    #[inline(always)]
    fn fetch(&self) -> usize {
        (0..black_box(1)).map(|_| ask()).sum()
    }
}

#[inline(never)]
fn crawl(client: &Client) -> usize {
    client.fetch() + black_box(1)
}

fn main() {
    black_box(crawl(&Client));
}
