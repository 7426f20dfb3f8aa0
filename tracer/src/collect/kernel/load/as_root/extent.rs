//! A pass that is restricted to what is in scope.

use std::{os::fd::AsRawFd as _, process::Command};

use super::*;

/// The file descriptors of this process that a pass reports.
fn own(watch: &mut Watch, extent: Extent) -> BTreeSet<RawFd> {
    let mut shown = BTreeSet::new();
    let mut each = |record: &SocketRecord| {
        if record.pid == process::id() {
            shown.insert(record.fd.cast_signed());
        }
    };
    watch.kernel.walk(extent, Reading::InTurn, &mut each).unwrap();
    shown
}

#[tokio::test]
async fn of_others_a_walk_shows_what_listens_and_what_is_in_scope() {
    let (listener, client, server) = connection(LOOPBACKS[0]);
    // The one file descriptor that the other process inherits.
    rustix::io::fcntl_setfd(&server, rustix::io::FdFlags::empty()).unwrap();
    let mut other = Command::new("sleep").arg("60").spawn().unwrap();
    rustix::io::fcntl_setfd(&server, rustix::io::FdFlags::CLOEXEC).unwrap();
    let [listener, client, server] = [listener.as_raw_fd(), client.as_raw_fd(), server.as_raw_fd()];
    let mut watch = Watch::start(&[other.id()], None);

    let mut shared = None;
    let mut each = |record: &SocketRecord| {
        if record.pid == other.id() {
            shared = Some(record.cookie);
        }
    };
    watch.kernel.walk(Extent::InScope, Reading::InTurn, &mut each).unwrap();
    let shared = shared.expect("the process in scope is shown");
    let everything = own(&mut watch, Extent::All);
    assert!(everything.is_superset(&[listener, client, server].into()), "{everything:?}");
    let before = own(&mut watch, Extent::InScope);
    assert!(before.contains(&listener) && !before.contains(&client), "{before:?}");
    assert!(!before.contains(&server), "{before:?}");

    assert!(watch.kernel.track(shared).unwrap(), "it was not in scope");
    assert!(!watch.kernel.track(shared).unwrap(), "it is now");
    let after = own(&mut watch, Extent::InScope);
    assert!(after.contains(&server) && !after.contains(&client), "{after:?}");

    other.kill().unwrap();
    other.wait().unwrap();
}
