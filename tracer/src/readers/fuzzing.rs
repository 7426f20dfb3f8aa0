use super::epoll::Registration;
pub(crate) use super::threads::fuzz as thread_call;

/// `/proc/PID/fdinfo/FD` of an epoll.
pub(crate) fn epoll_fdinfo(bytes: &[u8]) {
    for line in String::from_utf8_lossy(bytes).lines() {
        if let Some(registration) = Registration::parse(3, line) {
            let _ = registration.watches_input() || registration.watches_nothing();
        }
    }
}
