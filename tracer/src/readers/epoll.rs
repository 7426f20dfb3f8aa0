//! What the epolls of a process watch.

use std::{fs, io};

/// One descriptor registered in one epoll, a `tfd:` line of `/proc/PID/fdinfo/EPFD`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Registration {
    pub(crate) epoll_fd: u32,
    pub(crate) fd: u32,
    pub(crate) events: u32,
    pub(crate) data: u64,
    pub(crate) inode: Option<u64>,
}

/// Everything that the epolls of the process watch.
///
/// # Errors
/// The descriptors of the process cannot be listed.
pub(crate) fn registrations(pid: u32) -> io::Result<Vec<Registration>> {
    let mut all = Vec::new();
    for entry in fs::read_dir(format!("/proc/{pid}/fd"))?.flatten() {
        let is_epoll = fs::read_link(entry.path())
            .is_ok_and(|target| target.as_os_str() == "anon_inode:[eventpoll]");
        let fd = entry.file_name().to_str().and_then(|name| name.parse().ok());
        let Some(epoll_fd) = fd.filter(|_| is_epoll) else { continue };
        let text = fs::read_to_string(format!("/proc/{pid}/fdinfo/{epoll_fd}")).unwrap_or_default();
        all.extend(text.lines().filter_map(|line| parse(epoll_fd, line)));
    }
    Ok(all)
}

/// `tfd:        9 events: 8000201d data: 7f34c3b0c0000002  pos:0 ino:1f4e6 sdev:8`.
fn parse(epoll_fd: u32, line: &str) -> Option<Registration> {
    let mut words = line.strip_prefix("tfd:")?.split_whitespace();
    let fd = words.next()?.parse().ok()?;
    let mut after = |name| words.find(|word| *word == name).and_then(|_| words.next());
    let events = u32::from_str_radix(after("events:")?, 16).ok()?;
    let data = u64::from_str_radix(after("data:")?, 16).ok()?;
    let inode = words.find_map(|word| u64::from_str_radix(word.strip_prefix("ino:")?, 16).ok());
    Some(Registration { epoll_fd, fd, events, data, inode })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_registration() {
        let line = "tfd:        9 events: 8000201d data: 7f34c3b0c0000002  pos:0 ino:1f4e6 sdev:8";
        let expected = Registration {
            epoll_fd: 4,
            fd: 9,
            events: 0x8000_201d,
            data: 0x7f34_c3b0_c000_0002,
            inode: Some(0x1f4e6),
        };
        assert_eq!(parse(4, line), Some(expected));
        assert_eq!(parse(4, "pos:\t0"), None);
    }
}
