//! File descriptors that come with replies.

use std::os::fd::AsRawFd as _;

use tracer_inspect::go::{Entries, LedgerHook};

use super::*;

/// A read may return several replies; its file descriptor belongs to the last of them.
#[test]
fn a_file_belongs_to_the_reply_with_which_it_came() {
    let hooks =
        |count: usize| Entries { hooks: vec![(LedgerHook::Close, 64); count], limits: Vec::new() };
    // A reply may arrive in two parts; the file comes with the first one.
    for is_split in [false, true] {
        let mut play = Play::default();
        play.start();
        for pid in 1..=3 {
            play.ask(Task::Entries(process(pid)));
        }
        play.send();
        let mut frame = |count| {
            let sequence = play.requests.pop_front().unwrap().sequence;
            let answer = Answer::Entries(Some(Ok(hooks(count))));
            let reply = Reply { sequence, read_at: Timestamp::default(), cpu_ns: 0, answer };
            reply.to_frame(MESSAGE_MAX)
        };
        let [without, with, last] = [frame(0), frame(2), frame(1)];
        let split = if is_split { with.len() / 2 } else { with.len() };
        let (first, second) = with.split_at(split);
        let file = |name| OwnedFd::from(std::fs::File::open(name).unwrap());
        let (exchange, outcomes) = (&mut play.exchange, &mut play.outcomes);
        let mut receive = |bytes: [&[u8]; 2], name| {
            exchange.receive(&bytes.concat(), Some(file(name)), Timestamp::default(), outcomes)
        };
        receive([&without, first], "/proc/self/exe").unwrap();
        receive([second, &last], "/proc/self/maps").unwrap();

        let names: Vec<_> = outcomes
            .iter()
            .map(|outcome| {
                let file = outcome.program.as_ref()?;
                std::fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd())).ok()
            })
            .map(|name| name.map(|name| name.ends_with("maps")))
            .collect();
        assert_eq!(names, [None, Some(false), Some(true)], "{is_split}");
    }
}
