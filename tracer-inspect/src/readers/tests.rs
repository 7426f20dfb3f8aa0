//! Inspections of a real process: this one, with connections, epoll instances and threads of the
//! tests.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
    os::unix::fs::MetadataExt as _,
    thread,
    time::{Duration, Instant},
};

use super::*;
use crate::process::identity::{TICK_NS, started};

fn this_process() -> ProcessKey {
    let pid = std::process::id();
    ProcessKey { pid, start_time_ns: started(pid).unwrap() * TICK_NS }
}

/// Both ends of a connection on loopback.
fn connection() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (client, listener.accept().unwrap().0)
}

fn asked(id: u64, stream: &TcpStream) -> Asked {
    let fd = u32::try_from(stream.as_raw_fd()).unwrap();
    let inode = fs::metadata(format!("/proc/self/fd/{fd}")).unwrap().ino();
    Asked { id: ConnectionId(id), fd, inode }
}

fn inspect(asked: &[Asked]) -> Option<Input> {
    ReaderInspections::default().answer(
        &mut GoPrograms::default(),
        this_process(),
        asked,
        &Budget::default(),
    )
}

fn answer(asked: &[Asked]) -> Vec<(u64, Reader)> {
    let Some(Input::Readers(readers)) = inspect(asked) else {
        panic!("no answer");
    };
    assert_eq!(readers.limits, []);
    let known = readers.found.iter().filter(|facts| facts.reader != Reader::Unknown);
    known.map(|facts| (facts.id.0, facts.reader)).collect()
}

/// The connections that are registered with an epoll instance.
fn registered(asked: &[Asked]) -> Vec<u64> {
    let Some(Input::Readers(readers)) = inspect(asked) else {
        panic!("no answer");
    };
    assert_eq!(readers.found.len(), asked.len(), "there is an answer for each");
    let registered = readers.found.iter().filter(|facts| facts.is_registered);
    registered.map(|facts| facts.id.0).collect()
}

/// Inspects until the answer is this, for up to ten seconds: a thread takes a while to block, and
/// other tests open and close epoll instances in this process.
fn expect_answer(asked: &[Asked], expected: &[(u64, Reader)]) {
    let end = Instant::now() + Duration::from_secs(10);
    loop {
        let found = answer(asked);
        if found == expected {
            return;
        }
        assert!(Instant::now() < end, "found {found:?}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// An epoll instance with the stream registered.
fn epoll(stream: &TcpStream, events: u32) -> OwnedFd {
    // SAFETY: the call takes no pointer, and the result is checked before it is used.
    let fd = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
    assert!(fd >= 0);
    let mut event = libc::epoll_event { events, u64: 0 };
    // SAFETY: the pointer is to a local variable that outlives the call.
    let added =
        unsafe { libc::epoll_ctl(fd, libc::EPOLL_CTL_ADD, stream.as_raw_fd(), &raw mut event) };
    assert_eq!(added, 0);
    // SAFETY: the file descriptor was opened just now and has no other owner.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

#[test]
fn registrations_imply_readers() {
    let [(watched, _a), (nothing, _b), (edge, _c), (loose, _d)] = [(); 4].map(|()| connection());
    let bits = |flags: i32| flags.cast_unsigned();
    let _epolls = [
        epoll(&watched, bits(libc::EPOLLIN)),
        epoll(&nothing, 0),
        epoll(&edge, bits(libc::EPOLLIN | libc::EPOLLET)),
    ];
    let asked = [asked(1, &watched), asked(2, &nothing), asked(3, &edge), asked(4, &loose)];
    expect_answer(&asked, &[(1, Reader::Epoll), (2, Reader::None)]);
    assert_eq!(registered(&asked), [1, 2, 3]);
}

#[test]
fn a_thread_that_receives_is_a_reader_until_it_returns() {
    let (mut peer, mut stream) = connection();
    let asked = [asked(1, &stream)];
    assert_eq!(answer(&asked), []);
    let reading = thread::spawn(move || {
        let count = stream.read(&mut [0; 1]).unwrap();
        (stream, count)
    });
    expect_answer(&asked, &[(1, Reader::Thread)]);
    peer.write_all(b"x").unwrap();
    let (_stream, count) = reading.join().unwrap();
    assert_eq!((count, answer(&asked)), (1, [].into()));
}

#[test]
fn a_thread_in_poll_or_select_is_a_reader() {
    let [(mut first, polled), (_second, written), (mut third, selected)] =
        [(); 3].map(|()| connection());
    let asked = [asked(1, &polled), asked(2, &written), asked(3, &selected)];
    let (polled_fd, selected_fd) = (polled.as_raw_fd(), selected.as_raw_fd());
    let polling = thread::spawn(move || {
        let mut polled =
            [polled_fd, -1].map(|fd| libc::pollfd { fd, events: libc::POLLIN, revents: 0 });
        // SAFETY: the pointer is to two entries that outlive the call.
        unsafe { libc::poll(polled.as_mut_ptr(), 2, -1) }
    });
    let selecting = thread::spawn(move || {
        // SAFETY: `fd_set` is an array of integers, and all zeroes is an empty set.
        let mut set: libc::fd_set = unsafe { std::mem::zeroed() };
        let (none, forever) = (std::ptr::null_mut(), std::ptr::null_mut());
        // SAFETY: the fd is below `FD_SETSIZE`, since this process has few open, and the set outlives
        // the call.
        unsafe {
            libc::FD_SET(selected_fd, &raw mut set);
            libc::select(selected_fd + 1, &raw mut set, none, none, forever)
        }
    });
    expect_answer(&asked, &[(1, Reader::Thread), (3, Reader::Thread)]);
    for peer in [&mut first, &mut third] {
        peer.write_all(b"x").unwrap();
    }
    assert_eq!((polling.join().unwrap(), selecting.join().unwrap()), (1, 1));
    drop((polled, written, selected));
}

#[test]
fn another_process_or_connection_is_not_judged() {
    let (stream, _peer) = connection();
    let _epoll = epoll(&stream, libc::EPOLLIN.cast_unsigned());
    let asked = asked(1, &stream);
    assert_eq!(answer(&[asked]), [(1, Reader::Epoll)]);
    let other = Asked { inode: asked.inode + 1_000_000, ..asked };
    assert_eq!(answer(&[other]), []);
    let process = this_process();
    let earlier = ProcessKey { start_time_ns: process.start_time_ns - TICK_NS, ..process };
    assert_eq!(
        ReaderInspections::default().answer(
            &mut GoPrograms::default(),
            earlier,
            &[asked],
            &Budget::default()
        ),
        None
    );
}

#[test]
fn a_reused_fd_says_nothing_about_the_earlier_connection() {
    let (mut peer, mut stream) = connection();
    let now = asked(1, &stream);
    let earlier = Asked { inode: now.inode + 1_000_000, ..now };
    let reading = thread::spawn(move || stream.read(&mut [0; 1]).unwrap());
    // The thread is reading from the connection that now has the fd.
    expect_answer(&[now], &[(1, Reader::Thread)]);
    assert_eq!(answer(&[earlier]), []);
    peer.write_all(b"x").unwrap();
    assert_eq!(reading.join().unwrap(), 1);
}

#[test]
fn facts_about_reused_fds_are_removed() {
    let asked = [1, 2].map(|id| Asked { id: ConnectionId(id), fd: 7, inode: id });
    let mut found = Found::default();
    for asked in &asked {
        found.add(unknown(asked.id));
    }
    found.retain(&asked, |asked| asked.inode == 2);
    assert_eq!(found.facts.into_keys().collect::<Vec<_>>(), [ConnectionId(2)]);
}

#[test]
fn a_connection_that_the_process_has_closed_is_not_reported_without_reader() {
    let (stream, _peer) = connection();
    let _epoll = epoll(&stream, 0);
    let asked = [asked(1, &stream)];
    expect_answer(&asked, &[(1, Reader::None)]);
    // The duplicate keeps it registered, as one in another process would.
    let copy = stream.try_clone().unwrap();
    drop(stream);
    assert_eq!(answer(&asked), []);
    assert_eq!(registered(&asked), [1]);
    drop(copy);
}

/// A connection according to the snapshot, whose fd has been reused for this epoll instance.
fn reused(id: u64, epoll: &OwnedFd) -> Asked {
    let fd = u32::try_from(epoll.as_raw_fd()).unwrap();
    Asked { id: ConnectionId(id), fd, inode: u64::MAX }
}

#[test]
fn the_confirmation_of_no_reader_finds_an_epoll_instance_at_a_reused_fd() {
    let (stream, _peer) = connection();
    let nothing = epoll(&stream, 0);
    let alone = [asked(1, &stream)];
    expect_answer(&alone, &[(1, Reader::None)]);
    let watching = epoll(&stream, libc::EPOLLIN.cast_unsigned());
    let asked = [asked(1, &stream), reused(2, &watching)];
    let end = Instant::now() + Duration::from_secs(10);
    // Other tests close epoll instances, and then the reader is unknown.
    loop {
        let mut epolls = Epolls::default();
        let registrations = epolls.registrations(this_process(), &fds(&asked)).unwrap();
        let readers = registrations.readers(&asked);
        assert_ne!(
            readers.get(&ConnectionId(1)),
            Some(&Reader::Epoll),
            "the epoll instance was not skipped"
        );
        let mut inspections = ReaderInspections { epolls };
        let confirmed = inspections.epoll_readers(this_process(), &asked, &registrations);
        assert!(confirmed.values().all(|reader| *reader != Reader::None));
        if readers.get(&ConnectionId(1)) == Some(&Reader::None) {
            break;
        }
        assert!(Instant::now() < end, "the first reading never found no reader");
        thread::sleep(Duration::from_millis(5));
    }
    drop((nothing, watching));
}

#[test]
fn closed_and_new_epoll_instances_are_noticed() {
    let (stream, _peer) = connection();
    let asked = [asked(1, &stream)];
    let (mut inspections, process) = (ReaderInspections::default(), this_process());
    let mut programs = GoPrograms::default();
    let mut reader = || match inspections.answer(&mut programs, process, &asked, &Budget::default())
    {
        Some(Input::Readers(readers)) => readers.found.first().map(|facts| facts.reader),
        other => panic!("{other:?}"),
    };
    let first = epoll(&stream, libc::EPOLLIN.cast_unsigned());
    assert_eq!(reader(), Some(Reader::Epoll));
    drop(first);
    assert_eq!(reader(), Some(Reader::Unknown));
    let _second = epoll(&stream, libc::EPOLLIN.cast_unsigned());
    let end = Instant::now() + Duration::from_secs(10);
    while reader() != Some(Reader::Epoll) {
        assert!(Instant::now() < end, "the new epoll instance is not found");
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn the_most_specific_answer_wins() {
    let id = ConnectionId(1);
    let winner = |readers: [Reader; 2]| {
        let mut found = Found::default();
        for reader in readers {
            found.add(ReaderFacts { reader, ..unknown(id) });
        }
        found.facts[&id].reader
    };
    assert_eq!(winner([Reader::None, Reader::Thread]), Reader::Thread);
    assert_eq!(winner([Reader::Goroutine, Reader::None]), Reader::Goroutine);
    assert_eq!(winner([Reader::Unknown, Reader::None]), Reader::None);
    assert_eq!(winner([Reader::None, Reader::Unknown]), Reader::None);
}
