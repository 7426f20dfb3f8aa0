//! Fields of a socket about the delivery of its data: segments, timers, probes, acknowledgments.

use std::io::{ErrorKind, Read, Write};

use socket2::{SockFilter, SockRef, TcpKeepalive};

use super::*;

/// `ICSK_TIME_RETRANS` of `include/net/inet_connection_sock.h`.
const TIMER_RETRANSMIT: u8 = 1;
/// `ICSK_TIME_PROBE0`.
const TIMER_WINDOW_PROBE: u8 = 3;
/// `BPF_RET | BPF_K` of `include/uapi/linux/bpf_common.h`; with 0, the socket receives no segments.
const RETURN: u16 = 0x06;

impl Watch {
    fn record(&mut self, stream: &TcpStream) -> SocketRecord {
        let fd = stream.as_raw_fd().cast_unsigned();
        *self.records().iter().find(|record| record.fd == fd).unwrap()
    }

    /// Takes snapshots until the socket's record matches.
    fn wait_until(
        &mut self,
        stream: &TcpStream,
        matches: impl Fn(&SocketRecord) -> bool,
    ) -> SocketRecord {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let record = self.record(stream);
            if matches(&record) {
                return record;
            }
            assert!(Instant::now() < deadline, "{record:#?}");
            thread::sleep(Duration::from_millis(50));
        }
    }
}

/// A connection whose accepted end no longer receives any segment, and that ends without notice.
fn cut_connection() -> (TcpListener, TcpStream, TcpStream) {
    let (listener, client, server) = connection(LOOPBACKS[0]);
    SockRef::from(&server).attach_filter(&[SockFilter::new(RETURN, 0, 0, 0)]).unwrap();
    for stream in [&client, &server] {
        SockRef::from(stream).set_linger(Some(Duration::ZERO)).unwrap();
    }
    (listener, client, server)
}

#[tokio::test]
async fn an_exchange_is_a_segment_each_way() {
    let mut watch = Watch::start(&[], None);
    for loopback in LOOPBACKS {
        let (_listener, mut client, mut server) = connection(loopback);
        let fresh = watch.record(&client);
        assert_eq!((fresh.data_segments_sent, fresh.data_segments_received), (0, 0));
        assert_ne!(fresh.last_ack_jiffies, 0);
        for exchange in 1..=3 {
            client.write_all(b"question").unwrap();
            server.read_exact(&mut [0; 8]).unwrap();
            server.write_all(b"answer").unwrap();
            client.read_exact(&mut [0; 6]).unwrap();
            let record = watch.record(&client);
            let segments = (record.data_segments_sent, record.data_segments_received);
            assert_eq!(segments, (exchange, exchange));
            assert_eq!(record.snd_una, record.write_seq);
            assert_eq!((record.timer, record.retransmits, record.probes_out), (0, 0, 0));
            assert!(record.peer_window > 0, "{record:#?}");
        }
    }
}

#[tokio::test]
async fn a_peer_that_does_not_read_answers_window_probes() {
    let mut watch = Watch::start(&[], None);
    let (_listener, mut client, _server) = connection(LOOPBACKS[0]);
    client.set_nonblocking(true).unwrap();
    let data = vec![0; 1 << 16];
    let refusal = loop {
        if let Err(error) = client.write_all(&data) {
            break error;
        }
    };
    assert_eq!(refusal.kind(), ErrorKind::WouldBlock);

    // The first probe may fill the rest of the window, which is too small for a whole segment. If
    // the window closes while data is on its way (seen on Debian's 6.18), that data is
    // retransmitted instead of probes.
    let is_sent_again = |record: &SocketRecord| {
        record.timer == TIMER_RETRANSMIT && (record.retransmits > 0 || record.backoff > 0)
    };
    let shut = watch.wait_until(&client, |record| {
        let is_probed = record.timer == TIMER_WINDOW_PROBE || is_sent_again(record);
        is_probed && record.peer_window == 0
    });
    assert_ne!(shut.snd_una, shut.write_seq);
    if is_sent_again(&shut) {
        return;
    }
    let probed = watch.wait_until(&client, |record| record.backoff >= 4 && record.probes_out == 0);
    assert_eq!((probed.timer, probed.peer_window, probed.retransmits), (TIMER_WINDOW_PROBE, 0, 0));
    assert_ne!(probed.last_ack_jiffies, shut.last_ack_jiffies);
    assert_eq!(probed.data_segments_sent, shut.data_segments_sent);
    assert_eq!(probed.last_sent_jiffies, shut.last_sent_jiffies);
}

#[tokio::test]
async fn a_peer_that_is_gone_answers_no_keepalive() {
    let mut watch = Watch::start(&[], None);
    let (_listener, client, _server) = cut_connection();
    let second = Duration::from_secs(1);
    let keepalive = TcpKeepalive::new().with_time(second).with_interval(second);
    SockRef::from(&client).set_tcp_keepalive(&keepalive).unwrap();
    let before = watch.record(&client);
    assert_eq!(before.probes_out, 0);
    let after = watch.wait_until(&client, |record| record.probes_out == 2);
    assert_eq!(after.state, ESTABLISHED);
    assert_eq!((after.timer, after.retransmits, after.backoff), (0, 0, 0));
    assert_eq!(after.last_ack_jiffies, before.last_ack_jiffies);
}

#[tokio::test]
async fn data_to_a_peer_that_is_gone_is_sent_again() {
    let mut watch = Watch::start(&[], None);
    let (_listener, mut client, _server) = cut_connection();
    client.write_all(b"question").unwrap();
    let before = watch.record(&client);
    let after = watch.wait_until(&client, |record| record.retransmits >= 3);
    assert_eq!((after.timer, after.probes_out), (TIMER_RETRANSMIT, 0));
    assert_eq!(after.backoff, after.retransmits);
    assert_eq!(after.write_seq.wrapping_sub(after.snd_una), 8);
    assert_eq!(after.last_ack_jiffies, before.last_ack_jiffies);
    // Retransmitted data counts as sent, and as sent just now.
    assert!(after.data_segments_sent > 1, "{after:#?}");
    assert_ne!(after.last_sent_jiffies, before.last_sent_jiffies);
}
