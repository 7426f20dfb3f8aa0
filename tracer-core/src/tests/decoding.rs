//! The decoder accepts every input, and its sequence number arithmetic is correct.

use std::string::ToString;

use proptest::prelude::*;
use tracer_common::{EventRecord, SocketRecord, StackKey};
use zerocopy::{FromBytes, FromZeros, IntoBytes};

use crate::{
    EventKind, SocketFacts, StackId, TcpState, Timer, Timestamp,
    decode::{self, DecodeError, FileDescriptor, KernelConstants},
};

const CONSTANTS: KernelConstants = KernelConstants { jiffies_per_second: 250, fin_flag: 1 << 1 };

/// An established connection, opened actively, without data yet.
fn established() -> SocketRecord {
    let mut record = SocketRecord::new_zeroed();
    record.cookie = 7;
    record.pid = 10;
    record.at_ns = 1_000_000_000_000;
    record.jiffies = (1 << 32) + 1_000;
    record.last_sent_jiffies = 500;
    record.last_received_jiffies = u32::MAX - 499;
    record.bytes_acked = 1;
    record.rcv_nxt = 100;
    record.copied_seq = 100;
    (record.family, record.socket_type, record.protocol) = (2, 1, 6);
    record.state = 1;
    record.remote_port = 443;
    record
}

fn facts(record: &SocketRecord) -> SocketFacts {
    match decode::file_descriptor(record, CONSTANTS) {
        Ok(FileDescriptor::Tcp(facts)) => facts,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_fin_is_neither_data_received_nor_unread() {
    let mut record = established();
    (record.bytes_received, record.rcv_nxt, record.flags) = (158, 258, 1 << 1);
    let unread = facts(&record);
    assert_eq!((unread.rx_bytes, unread.unread_bytes, unread.drained), (157, 157, false));
    record.copied_seq = 257;
    let eof_unread = facts(&record);
    assert_eq!((eof_unread.unread_bytes, eof_unread.drained), (0, false));
    record.copied_seq = 258;
    let eof_read = facts(&record);
    assert_eq!((eof_read.unread_bytes, eof_read.drained), (0, true));
}

#[test]
fn sequence_numbers_wrap() {
    let mut record = established();
    (record.copied_seq, record.rcv_nxt, record.bytes_received) = (u32::MAX - 9, 10, 20);
    assert_eq!(facts(&record).unread_bytes, 20);
    (record.copied_seq, record.rcv_nxt) = (10, 0);
    assert_eq!(facts(&record).unread_bytes, 0, "a torn read is not two gigabytes");
}

#[test]
fn ages_come_from_the_low_32_bits_of_jiffies() {
    let facts = facts(&established());
    let at = Timestamp::from_ns(1_000_000_000_000);
    assert_eq!(at.ms_since(facts.last_sent_at.unwrap()), 500 * 4);
    assert_eq!(at.ms_since(facts.last_received_at.unwrap()), 1_500 * 4, "across the wrap");
    let mut record = established();
    record.last_sent_jiffies = 1_002;
    assert_eq!(facts_at(&record), at, "a stamp from just now");
}

fn facts_at(record: &SocketRecord) -> Timestamp {
    facts(record).last_sent_at.unwrap()
}

#[test]
fn the_last_acknowledgment_is_dated() {
    let mut record = established();
    record.last_ack_jiffies = 750;
    let at = Timestamp::from_ns(record.at_ns);
    assert_eq!(at.ms_since(facts(&record).last_ack_at.unwrap()), 250 * 4);
    record.last_ack_jiffies = 0;
    assert_eq!(facts(&record).last_ack_at, None, "none was received yet");
    (record.last_ack_jiffies, record.last_received_jiffies) = (750, 0);
    assert_eq!(facts(&record).last_ack_at, None, "never connected");
}

#[test]
fn segments_probes_and_retransmissions_are_copied() {
    let mut record = established();
    (record.data_segments_sent, record.data_segments_received) = (3, 4);
    (record.probes_out, record.retransmits, record.backoff) = (5, 6, u8::MAX);
    record.peer_window = 1 << 20;
    let facts = facts(&record);
    assert_eq!((facts.data_segments_sent, facts.data_segments_received), (3, 4));
    assert_eq!((facts.unanswered_probes, facts.retransmits, facts.backoff), (5, 6, 255));
    assert_eq!(facts.peer_window, 1 << 20);
}

#[test]
fn timers_are_decoded_by_kernel_number() {
    let timer = |timer| facts(&SocketRecord { timer, ..established() }).timer;
    assert_eq!(timer(0), Timer::None);
    assert_eq!(timer(1), Timer::Retransmit);
    assert_eq!(timer(3), Timer::WindowProbe);
    for number in [2, 4, 5, 6, 255] {
        assert_eq!(timer(number), Timer::Other, "{number}");
    }
}

#[test]
fn the_syn_shows_which_side_opened() {
    let mut record = established();
    assert_eq!(facts(&record).opened_actively, Some(true));
    record.bytes_acked = 0;
    assert_eq!(facts(&record).opened_actively, Some(false));
    (record.bytes_sent, record.bytes_retransmitted, record.bytes_acked) = (150, 50, 101);
    assert_eq!(facts(&record).opened_actively, Some(true));
    (record.snd_una, record.write_seq) = (5, 6);
    assert_eq!(facts(&record).opened_actively, None, "not all is acknowledged");
    (record.snd_una, record.state) = (6, 7);
    assert_eq!(facts(&record).opened_actively, None, "an own FIN looks the same");
}

#[test]
fn a_mapped_address_is_ipv4() {
    let mut record = established();
    record.family = 10;
    record.remote_address[10..16].copy_from_slice(&[0xff, 0xff, 10, 0, 0, 1]);
    assert_eq!(facts(&record).remote.to_string(), "10.0.0.1:443");
    record.remote_address = [0; 16];
    record.remote_address[15] = 1;
    assert_eq!(facts(&record).remote.to_string(), "[::1]:443");
}

#[test]
fn sockets_without_a_tcp_sock_are_named_by_protocol() {
    for (socket_type, protocol, name) in [(1, 262, "mptcp"), (1, 256, "smc"), (1, 132, "sctp")] {
        let mut record = established();
        (record.socket_type, record.protocol) = (socket_type, protocol);
        let decoded = decode::file_descriptor(&record, CONSTANTS);
        assert_eq!(decoded, Ok(FileDescriptor::NotJudged(name.into())));
    }
}

#[test]
fn errors_name_what_is_wrong() {
    let mut record = established();
    record.state = 99;
    assert_eq!(decode::file_descriptor(&record, CONSTANTS), Err(DecodeError::UnknownState(99)));
    record = SocketRecord { family: 1, ..established() };
    assert_eq!(decode::file_descriptor(&record, CONSTANTS), Err(DecodeError::UnknownFamily(1)));
    record = SocketRecord { cookie: 0, ..established() };
    assert_eq!(decode::file_descriptor(&record, CONSTANTS), Err(DecodeError::NoCookie));
    let error = decode::event(&[0; 95], |_| None).unwrap_err();
    assert_eq!(error.to_string(), "record of 95 bytes, expected 104");
}

#[test]
fn an_event_without_a_pid_has_no_actor() {
    let mut record = EventRecord::new_zeroed();
    (record.cookie, record.kind, record.family, record.new_state) = (1, 1, 2, 2);
    let stack = |key: StackKey| (key.hash == 7).then_some(StackId(key.pid));
    let kind = |record: &EventRecord| decode::event(record.as_bytes(), stack).unwrap().kind;
    assert_eq!(kind(&record), EventKind::Connected(None));
    (record.pid, record.comm) = (5, *b"api\0garbage\0\0\0\0\0");
    let EventKind::Connected(Some(actor)) = kind(&record) else { panic!() };
    assert_eq!((actor.key.pid, actor.comm.0.as_str(), actor.stack), (5, "api", None));
    record.stack = 7;
    let EventKind::Connected(Some(actor)) = kind(&record) else { panic!() };
    assert_eq!(actor.stack, Some(StackId(5)));
    (record.kind, record.old_state, record.new_state) = (3, 1, 8);
    let (from, to) = (TcpState::Established, TcpState::CloseWait);
    assert_eq!(kind(&record), EventKind::StateChanged { from, to });
}

proptest! {
    #[test]
    fn any_bytes_decode_or_are_refused(
        bytes in proptest::collection::vec(any::<u8>(), 0..300),
        jiffies_per_second: u32,
        fin_flag: u64,
    ) {
        let _ = decode::event(&bytes, |_| None);
        if let Ok((record, _)) = SocketRecord::read_from_prefix(&bytes) {
            let constants = KernelConstants { jiffies_per_second, fin_flag };
            if let Ok(FileDescriptor::Tcp(facts)) = decode::file_descriptor(&record, constants) {
                prop_assert!(facts.last_segment_at <= Some(Timestamp::from_ns(record.at_ns)));
                prop_assert!(facts.unread_bytes < 1 << 31);
            }
        }
    }
}
