use tracer_core::AccessError;

use super::*;

const POLLOUT: u16 = 0x4;

#[test]
fn an_array_names_the_fds_that_are_polled_for_input() {
    let entry = |fd: i32, events: u16| {
        let mut bytes = [0; POLLED_SIZE];
        bytes[..4].copy_from_slice(&fd.to_ne_bytes());
        bytes[4..6].copy_from_slice(&events.to_ne_bytes());
        bytes
    };
    let array = [entry(7, 1), entry(-1, 1), entry(8, POLLOUT), entry(9, 0), entry(300, 0x41)];
    assert_eq!(polled(&array.concat()), [7, 300]);
    assert_eq!(polled(&array.concat()[..15]), [7], "an incomplete entry is ignored");
}

#[test]
fn a_set_names_the_fds_below_its_count() {
    let set = [0b1000_0001, 0, 0b11];
    assert_eq!(selected(&set, 17), [0, 7, 16]);
    assert_eq!(selected(&set, 24), [0, 7, 16, 17]);
    assert_eq!(selected(&set[..1], 24), [0, 7], "bytes that were not read are not set");
    assert!(selected(&set, 0).is_empty());
}

#[test]
fn exceeding_the_limit_is_reported() {
    let budget = Budget::default();
    let mut lists = WaitLists::of(std::process::id(), &budget).unwrap();
    let array = [[9_u8, 0, 0, 0, 1, 0, 0, 0]; 3];
    let address = array.as_ptr() as u64;
    assert_eq!(lists.polled(address, 3), [9, 9, 9]);
    assert!(lists.polled(0, 3).is_empty());
    assert!(lists.selected(64, 0).is_empty());
    assert_eq!(lists.limit(), None);
    lists.polled(address, ENTRIES_MAX + 1);
    assert_eq!(lists.limit(), Some(Limit::PolledFdsTruncated));
}

#[test]
fn a_refusal_is_reported_and_the_end_of_a_call_is_not() {
    let budget = Budget::default();
    let mut lists = WaitLists::of(std::process::id(), &budget).unwrap();
    let mut keep = |errno: Errno| {
        assert!(lists.keep_refusal(Err(errno.into())).is_empty());
        lists.limit()
    };
    assert_eq!(keep(Errno::FAULT), None);
    assert_eq!(keep(Errno::SRCH), None);
    let error = AccessError::NotInKernel;
    assert_eq!(keep(Errno::NOSYS), Some(Limit::MemoryUnreadable { error: error.clone() }));
    assert_eq!(keep(Errno::FAULT), Some(Limit::MemoryUnreadable { error }), "the refusal is kept");
    assert!(matches!(keep(Errno::PERM), Some(Limit::MemoryUnreadable { .. })));
}
