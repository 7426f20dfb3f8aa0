use std::os::fd::{FromRawFd as _, OwnedFd};

use super::*;

const WATCHED: u32 = 0x19;
const NOTHING: u32 = 0x18;
const ONE_SHOT: u32 = 0x4000_0000;

fn registration(fd: u32, events: u32, inode: Option<u64>) -> Registration {
    Registration { epoll_fd: 3, fd, events, data: 0, inode }
}

/// The reader of the connection with fd 7 and inode 70, by its registrations.
fn reader(list: &[Registration]) -> Option<Reader> {
    let registrations = Registrations { list: list.to_vec(), ..Registrations::default() };
    reader_of(&registrations)
}

fn reader_of(registrations: &Registrations) -> Option<Reader> {
    let asked = [Asked { id: ConnectionId(1), fd: 7, inode: 70 }];
    registrations.readers(&asked).get(&ConnectionId(1)).copied()
}

#[test]
fn a_line_is_a_registration_or_nothing() {
    let line = "tfd:        7 events: 8000201d data: ffff8d3a00000007  pos:0 ino:46 sdev:8";
    let parsed =
        Registration { data: 0xffff_8d3a_0000_0007, ..registration(7, 0x8000_201d, Some(70)) };
    assert_eq!(Registration::parse(3, line), Some(parsed));
    let old = "tfd:        7 events:       19 data:                7";
    let parsed = Registration { data: 7, ..registration(7, WATCHED, None) };
    assert_eq!(Registration::parse(3, old), Some(parsed));
    for line in [
        "",
        "pos:\t0",
        "flags:\t02",
        "inotify wd:1 ino:2",
        "tfd: -1 events: 19 data: 7",
        "tfd: 7 events: x data: 7",
        "tfd: 7 events: 19",
        "tfd: 7 events: 1ffffffff data: 7",
        "events: 19 tfd: 7 data: 7",
    ] {
        assert_eq!(Registration::parse(3, line), None, "{line:?}");
    }
}

#[test]
fn the_registered_events_decide() {
    let reader = |events| reader(&[registration(7, events, Some(70))]);
    assert_eq!(reader(WATCHED), Some(Reader::Epoll));
    assert_eq!(reader(WATCHED | ONE_SHOT), Some(Reader::Epoll), "not fired yet");
    assert_eq!(reader(NOTHING), Some(Reader::None));
    assert_eq!(reader(NOTHING | 0x1000_0000), Some(Reader::None), "exclusive");
    assert_eq!(reader(ONE_SHOT), Some(Reader::Unknown), "fired: being handled, or abandoned");
    assert_eq!(reader(NOTHING | ONE_SHOT), Some(Reader::Unknown));
    assert_eq!(reader(NOTHING | 0x4), Some(Reader::Unknown), "waits to write");
    assert_eq!(reader(NOTHING | 0x2000), Some(Reader::Unknown), "waits for a FIN");
    assert_eq!(reader(WATCHED | EDGE_TRIGGERED), Some(Reader::Unknown));
    assert_eq!(reader(NOTHING | EDGE_TRIGGERED), Some(Reader::Unknown));
}

#[test]
fn a_connection_in_several_epolls_is_read_if_one_watches_it() {
    let (nothing, watched) =
        (registration(7, NOTHING, Some(70)), registration(9, WATCHED, Some(70)));
    assert_eq!(reader(&[nothing, watched]), Some(Reader::Epoll), "under another fd");
    let edge = registration(9, WATCHED | EDGE_TRIGGERED, Some(70));
    assert_eq!(reader(&[nothing, edge]), Some(Reader::Unknown));
    assert_eq!(reader(&[nothing, nothing]), Some(Reader::None));
    assert_eq!(reader(&[]), None, "being in no epoll instance says nothing");
}

#[test]
fn the_fd_counts_only_where_the_kernel_reports_no_inode() {
    assert_eq!(reader(&[registration(7, WATCHED, None)]), Some(Reader::Epoll));
    assert_eq!(
        reader(&[registration(7, WATCHED, Some(71))]),
        None,
        "the fd was reused for another file"
    );
}

#[test]
fn no_reader_requires_a_complete_list() {
    let list = vec![registration(7, NOTHING, Some(70))];
    let reader = |truncated, changed, has_io_uring| {
        let list = list.clone();
        reader_of(&Registrations { list, truncated, changed, has_io_uring })
    };
    assert_eq!(reader(false, false, false), Some(Reader::None));
    assert_eq!(reader(true, false, false), Some(Reader::Unknown));
    assert_eq!(reader(false, true, false), Some(Reader::Unknown));
    assert_eq!(reader(false, false, true), Some(Reader::Unknown));
}

#[test]
fn skipped_fds_are_read_once_they_are_no_longer_known_sockets() {
    // SAFETY: the call takes no pointer, and the result is checked before it is used.
    let epoll = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
    assert!(epoll >= 0);
    // SAFETY: the file descriptor was opened just now and has no other owner.
    let _epoll = unsafe { OwnedFd::from_raw_fd(epoll) };
    let (pid, fd) = (std::process::id(), epoll.cast_unsigned());
    let sockets = BTreeSet::from([fd]);
    let mut search = Search::run(pid, &sockets).unwrap();
    assert_eq!((search.epolls.contains(&fd), &search.skipped), (false, &vec![fd]));
    search.read_skipped(pid, &sockets);
    assert_eq!((search.epolls.contains(&fd), &search.skipped), (false, &vec![fd]));
    search.read_skipped(pid, &BTreeSet::new());
    assert_eq!((search.epolls.contains(&fd), &search.skipped), (true, &Vec::new()));
    assert!(Search::run(pid, &BTreeSet::new()).unwrap().epolls.contains(&fd));
}

#[test]
fn registrations_without_an_inode_are_recognized() {
    let are_by_fd = |list: &[Registration]| {
        Registrations { list: list.to_vec(), ..Registrations::default() }.are_by_fd()
    };
    let (with, without) = (registration(7, WATCHED, Some(70)), registration(8, WATCHED, None));
    assert!(!are_by_fd(&[]) && !are_by_fd(&[with]));
    assert!(are_by_fd(&[with, without]));
}
