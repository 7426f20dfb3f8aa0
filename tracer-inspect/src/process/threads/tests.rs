use super::*;

const RECEIVING: &str = "45 0x5 0x7f0c 0x1 0x0 0x0 0x0 0x7ffd4b5a1f08 0x7f0c7d3d2a4d\n";

#[test]
fn a_line_is_a_call_or_nothing() {
    let call = Call::parse(RECEIVING).unwrap();
    assert_eq!(call.number, 45);
    assert_eq!(call.arguments, [5, 0x7f0c, 1, 0, 0, 0]);
    assert_eq!(call.position, [0x7ffd_4b5a_1f08, 0x7f0c_7d3d_2a4d]);
    for line in ["", "running\n", "-1 0x7ffd 0x7f0c\n", "45 0x5\n", "45 5 1 1 0 0 0 0 0\n", "x y"] {
        assert_eq!(Call::parse(line), None, "{line:?}");
    }
}

#[test]
fn the_first_argument_is_the_fd_that_is_read() {
    let asked = |fd| Asked { id: ConnectionId(u64::from(fd)), fd, inode: 1 };
    let wanted: BTreeMap<u32, Asked> = [(5, asked(5)), (6, asked(6))].into();
    let budget = Budget::default();
    let mut lists = WaitLists::of(std::process::id(), &budget).unwrap();
    let mut fds = |number: libc::c_long, first| {
        let call = Call { number, arguments: [first, 0, 0, 0, 0, 0], position: [0; 2] };
        call.waits_for(&wanted, &mut lists)
    };
    assert_eq!(fds(libc::SYS_recvfrom, 5), [5]);
    assert_eq!(fds(libc::SYS_read, 0xdead_beef_0000_0006), [6], "the upper half is ignored");
    assert!(fds(libc::SYS_read, 7).is_empty(), "not asked about");
    assert!(fds(libc::SYS_write, 5).is_empty(), "does not read");
    assert!(fds(libc::SYS_accept4, 5).is_empty());
}
