use std::{collections::BTreeSet, thread, time::Duration};

use super::{Fd, Listener, Puppet, Report, listed};

/// The time over which connections are leaked: longer than the `--idle` of the tests (2s), as
/// accumulation requires.
const SPAN: Duration = Duration::from_millis(2_800);

/// The shortest pause between one leaked connection and the next: more than a twelfth of `--idle`
/// (2s at most), so that each is a separate event.
const PAUSE_MIN: Duration = Duration::from_millis(200);

/// The longest pause.
const PAUSE_MAX: Duration = Duration::from_millis(600);

/// Leaks `count` times, with a pause after each, and returns what was leaked. In a single event,
/// leaks would be only *possible*.
pub(crate) fn one_by_one<T>(count: usize, mut leak_one: impl FnMut() -> T) -> Vec<T> {
    let parts = u32::try_from(count).expect("tests leak few").max(1);
    let pause = (SPAN / parts).clamp(PAUSE_MIN, PAUSE_MAX);
    let leak_and_wait = |_| {
        let leaked = leak_one();
        thread::sleep(pause);
        leaked
    };
    (0..count).map(leak_and_wait).collect()
}

/// Makes the puppet leak connections to itself, whose 8 KiB it does not read.
pub(crate) fn leak_within(puppet: &mut Puppet, count: usize) -> Vec<Fd> {
    let listener = puppet.listen();
    one_by_one(count, || {
        let unread = puppet.connect(listener, 1);
        let accepted = puppet.accept(listener, 1);
        puppet.send(&accepted, 8192);
        puppet.await_unread(&unread, 8192);
        unread[0]
    })
}

/// A way to leak connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The peer sends data, which is not read, and closes.
    CloseWait {
        /// Bytes that stay unread.
        unread: usize,
    },
    /// The peer sends 8 KiB, which are not read.
    Undrained,
    /// The peer resets the connection.
    Ghost,
    /// The connection is accepted and receives 100 bytes, which are never read.
    NeverRead,
}

/// A process that leaks connections, and its peer.
pub(crate) struct Leak {
    /// The process that leaks.
    pub(crate) leaker: Puppet,
    /// The process at the other end.
    pub(crate) peer: Puppet,
    /// The file descriptors that it has leaked so far.
    pub(crate) fds: BTreeSet<Fd>,
    kind: Kind,
    listener: Listener,
}

impl Leak {
    /// Starts both processes; nothing is leaked yet.
    pub(crate) fn prepare(kind: Kind) -> Self {
        Self::prepare_in(Puppet::start(), kind)
    }

    /// The given process will leak; nothing is leaked yet.
    pub(crate) fn prepare_in(leaker: Puppet, kind: Kind) -> Self {
        Self::prepare_between(leaker, Puppet::start(), kind)
    }

    /// The given process will leak connections to the other one; nothing is leaked yet.
    pub(crate) fn prepare_between(mut leaker: Puppet, mut peer: Puppet, kind: Kind) -> Self {
        let server = if kind == Kind::NeverRead { &mut leaker } else { &mut peer };
        let listener = server.listen();
        Self { leaker, peer, fds: BTreeSet::new(), kind, listener }
    }

    /// Leaks `count` connections, one by one.
    pub(crate) fn of(kind: Kind, count: usize) -> Self {
        let mut leak = Self::prepare(kind);
        leak.grow(count);
        leak
    }

    /// The given process leaks `count` connections, one by one.
    pub(crate) fn by(leaker: Puppet, kind: Kind, count: usize) -> Self {
        let mut leak = Self::prepare_in(leaker, kind);
        leak.grow(count);
        leak
    }

    /// Leaks `count` more connections, one by one.
    pub(crate) fn grow(&mut self, count: usize) {
        let leaked = one_by_one(count, || self.leak_one());
        self.fds.extend(leaked);
    }

    /// The process that leaks.
    pub(crate) fn pid(&self) -> u32 {
        self.leaker.pid()
    }

    /// The port that is listened on.
    pub(crate) fn port(&self) -> u16 {
        self.listener.address.port()
    }

    /// Asserts that the report has exactly this leak of the process.
    pub(crate) fn assert_reported_by(&self, report: &Report) {
        let finding = report.leak_of(self.pid());
        assert_eq!(finding.text("verdict"), self.verdict());
        assert_eq!(finding.text("comm"), "puppet");
        assert_eq!(finding.count(), self.fds.len() as u64, "{report}");
        assert_eq!(finding.fds(), self.fds, "{report}");
        assert_eq!(finding.number("unread_bytes"), (self.unread() * self.fds.len()) as u64);
        if self.kind == Kind::NeverRead {
            assert_eq!(finding.text("direction"), "inbound");
            assert_eq!(finding.number("local_port"), u64::from(self.port()));
        } else {
            assert_eq!(finding.text("direction"), "outbound");
            assert_eq!(finding.text("remote"), self.listener.address.to_string());
        }
        for connection in finding.connections() {
            assert_eq!(connection.text("state"), self.state());
            assert_eq!(connection.number("unread_bytes"), self.unread() as u64);
            assert_eq!(connection.owners(), [(self.pid(), connection.fd())].into());
        }
    }

    fn leak_one(&mut self) -> Fd {
        if self.kind == Kind::NeverRead {
            let sender = self.peer.connect(self.listener, 1);
            let leaked = self.leaker.accept(self.listener, 1);
            self.peer.send(&sender, self.unread());
            self.leaker.await_unread(&leaked, self.unread());
            return leaked[0];
        }
        let leaked = self.leaker.connect(self.listener, 1);
        let other_end = self.peer.accept(self.listener, 1);
        match self.kind {
            Kind::CloseWait { .. } => {
                self.peer.send(&other_end, self.unread());
                self.peer.close(&other_end);
            }
            Kind::Ghost => drop(self.peer.ask(&format!("reset {}", listed(&other_end)))),
            Kind::Undrained | Kind::NeverRead => self.peer.send(&other_end, self.unread()),
        }
        self.leaker.await_state(&leaked, self.state());
        self.leaker.await_unread(&leaked, self.unread());
        leaked[0]
    }

    fn verdict(&self) -> &'static str {
        match self.kind {
            Kind::CloseWait { .. } => "close-wait",
            Kind::Undrained => "undrained",
            Kind::Ghost => "ghost",
            Kind::NeverRead => "never-read",
        }
    }

    fn state(&self) -> &'static str {
        match self.kind {
            Kind::CloseWait { .. } => "CLOSE_WAIT",
            Kind::Ghost => "CLOSE",
            Kind::Undrained | Kind::NeverRead => "ESTABLISHED",
        }
    }

    fn unread(&self) -> usize {
        match self.kind {
            Kind::CloseWait { unread } => unread,
            Kind::Undrained => 8 * 1024,
            Kind::Ghost => 0,
            Kind::NeverRead => 100,
        }
    }
}
