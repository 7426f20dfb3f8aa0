//! Limits: every loss is counted, and the next snapshot is complete.

use std::io::{ErrorKind, Read};

use socket2::SockRef;

use super::*;

/// Room for one page of events.
const TINY: u32 = 4096;

/// Connections that the client resets, one after the other, so that neither end leaves a port in
/// TIME_WAIT.
fn churn(listener: &TcpListener, count: u64) {
    let address = listener.local_addr().unwrap();
    for _ in 0..count {
        let client = TcpStream::connect(address).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        SockRef::from(&client).set_linger(Some(Duration::ZERO)).unwrap();
        drop(client);
        // Once the reset has arrived, this side cannot close first.
        assert_eq!(server.read(&mut [0]).unwrap_err().kind(), ErrorKind::ConnectionReset);
    }
}

impl Watch {
    /// The numbers of events received and lost, once no more arrive.
    fn all_events(&mut self) -> (u64, u64) {
        let (mut came, mut before) = (0, None);
        loop {
            came += self.events.drain(usize::MAX, |_| {}) as u64;
            let now = (came, self.kernel.losses().unwrap().ring_full);
            if before.replace(now) == Some(now) {
                return now;
            }
            thread::sleep(Duration::from_millis(200));
        }
    }
}

#[tokio::test]
async fn of_fifty_thousand_connections_every_event_that_is_lost_is_counted() {
    const CONNECTIONS: u64 = 50_000;
    const FEW: u64 = 10;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let connect = || {
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (client, listener.accept().unwrap().0)
    };
    // The number of events of each, and of one that stays open.
    let (each, open) = {
        let mut watch = Watch::start(&[process::id()], None);
        churn(&listener, FEW);
        let (came, lost) = watch.all_events();
        assert_eq!((came % FEW, lost), (0, 0), "{came}");
        let _open = connect();
        (came / FEW, watch.all_events().0)
    };
    let mut watch = Watch::start(&[process::id()], Some(TINY));
    let before = watch.records().len();

    churn(&listener, CONNECTIONS);
    let (kept, accepted) = connect();

    let (came, lost) = watch.all_events();
    assert!(came > 0, "the ring has room for some");
    assert_eq!(came + lost, each * CONNECTIONS + open, "{came} came, {lost} were lost");
    let records = watch.records();
    let fds: BTreeSet<u32> = records.iter().map(|record| record.fd).collect();
    assert_eq!(records.len(), before + 2, "{records:#?}");
    for stream in [&kept, &accepted] {
        assert!(fds.contains(&stream.as_raw_fd().cast_unsigned()));
    }
}

#[tokio::test]
async fn more_processes_than_there_is_room_for_are_counted() {
    // Pids that no process has: the largest of all is 4,194,304.
    const NOBODY: u32 = 5_000_000;
    let mut watch = Watch::start(&[], None);
    let many: Vec<u32> = (NOBODY..NOBODY + 4_096).collect();
    assert_eq!(watch.kernel.set_pids(&many).unwrap(), 0);
    let more: Vec<u32> = (NOBODY..NOBODY + 4_099).collect();
    assert_eq!(watch.kernel.set_pids(&more).unwrap(), 3);
    // Removing those that are no longer requested makes room.
    assert_eq!(watch.kernel.set_pids(&[process::id()]).unwrap(), 0);
    let (_listener, client, _server) = connection(LOOPBACKS[0]);
    let address = client.peer_addr().unwrap();
    watch.expect("connect", |record| remote(record) == address);
}

#[tokio::test]
async fn sockets_that_there_is_no_room_for_are_counted_and_seen_all_the_same() {
    /// As `TRACKED` has it.
    const TRACKED_MAX: u64 = 1 << 17;
    /// No cookie is that large.
    const UNUSED: u64 = 1 << 60;
    let mut watch = Watch::start(&[process::id()], None);
    for cookie in UNUSED..UNUSED + TRACKED_MAX {
        watch.kernel.track(cookie).unwrap();
    }
    watch.kernel.track(UNUSED - 1).unwrap_err();
    assert_eq!(watch.kernel.losses().unwrap().map_full, 0, "this side counts its own");

    let (_listener, client, server) = connection(LOOPBACKS[0]);

    assert!(watch.kernel.losses().unwrap().map_full > 0, "{:?}", watch.kernel.losses());
    let fds: BTreeSet<u32> = watch.records().iter().map(|record| record.fd).collect();
    for stream in [&client, &server] {
        assert!(fds.contains(&stream.as_raw_fd().cast_unsigned()));
    }
}
