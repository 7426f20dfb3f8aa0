//! The lists of open responses.

use std::vec::Vec;

use super::{timeline::Player, world::process};
use crate::{
    HttpStream, Input, Ledger, Limit, Note, OpenResponse, Options, ProcessKey, StackId, Timestamp,
    open_responses::OpenResponses,
};

const PROCESS: ProcessKey = ProcessKey { start_time_ns: 1, pid: 10 };

fn at(second: u64) -> Timestamp {
    Timestamp::from_ms(second * 1_000)
}

fn out(fd: u32, second: u64, stream: Option<(u32, u64)>) -> OpenResponse {
    let stream =
        stream.map(|(id, held_bytes)| HttpStream { id, held_bytes, read_mark: held_bytes });
    OpenResponse { fd, since: at(second), stack: Some(StackId(1)), stream }
}

fn list(second: u64, open: &[OpenResponse]) -> Ledger {
    Ledger { process: PROCESS, at: at(second), open: open.to_vec(), limits: Vec::new() }
}

#[test]
fn an_fd_has_one_http_1_response_which_is_the_latest() {
    let mut lists = OpenResponses::new(100);
    lists
        .replace(list(9, &[out(5, 3, None), out(4, 2, None), out(5, 7, None), out(5, 1, None)]), 1);
    assert_eq!(lists.on(PROCESS, 5).iter().map(|it| it.since).collect::<Vec<_>>(), [at(7)]);
    assert_eq!(lists.on(PROCESS, 4).len(), 1);
    assert_eq!((lists.on(PROCESS, 6).len(), lists.on(PROCESS, 3).len()), (0, 0));
}

/// The time since which nothing has been read is kept from list to list, as long as the response is
/// the same.
#[test]
fn a_stream_is_watched_from_list_to_list() {
    let mut lists = OpenResponses::new(100);
    let mut watch = |second, since, held_bytes, read_mark| {
        let mut response = out(5, since, Some((3, held_bytes)));
        response.stream = response.stream.map(|stream| HttpStream { read_mark, ..stream });
        lists.replace(list(second, &[response]), second);
        let stream = lists.on(PROCESS, 5)[0].stream.unwrap();
        (stream.held_bytes, stream.unread_since, stream.was_read)
    };
    assert_eq!(watch(10, 1, 500, 9), (500, at(10), false));
    assert_eq!(watch(11, 1, 500, 9), (500, at(10), false));
    assert_eq!(watch(12, 1, 700, 9), (700, at(10), false), "more has come");
    assert_eq!(
        watch(13, 1, 700, 8),
        (700, at(13), true),
        "the application has read, and as much has come"
    );
    assert_eq!(watch(14, 1, 700, 8), (700, at(13), true));
    assert_eq!(watch(15, 9, 700, 8), (700, at(15), false), "the number is another stream's now");
}

#[test]
fn all_lists_together_are_bounded() {
    let mut lists = OpenResponses::new(3);
    let other = ProcessKey { pid: 11, ..PROCESS };
    let two = [out(1, 1, None), out(2, 1, None)];
    assert!(lists.replace(list(9, &two), 1));
    assert!(!lists.replace(list(10, &two), 2), "no new response is open");
    lists.replace(Ledger { process: other, ..list(10, &two) }, 2);
    assert_eq!((lists.on(other, 1).len(), lists.on(other, 2).len(), lists.left_out()), (1, 0, 1));
    assert!(lists.replace(list(11, &[]), 3), "all were returned");
    lists.replace(Ledger { process: other, ..list(11, &two) }, 3);
    assert_eq!((lists.on(other, 2).len(), lists.left_out()), (1, 0));
    lists.retain(3, |key| *key != other);
    assert_eq!(lists.on(other, 1), []);
}

#[test]
fn a_limit_counts_once_for_each_process() {
    let mut player = Player::new(Options::default());
    player.play_all("0s open a1 pid=10\n 0s open b1 pid=11\n 9s snapshot");
    for (pid, times) in [(10, 2), (11, 1)] {
        let limits = std::vec![Limit::NotGo; times];
        let ledger = Ledger { process: process(pid), limits, ..list(9, &[]) };
        player.detector.handle(Input::Ledger(ledger));
    }
    let notes = player.detector.report().coverage.notes;
    assert_eq!(notes, [Note::ResponseLimit { processes: 2, limit: Limit::NotGo }]);
}
