//! Takes events and log lines out of the kernel's ring buffers.

use std::io;

use aya::{
    Ebpf,
    maps::{MapData, RingBuf},
};
use aya_log::EbpfLogger;
use log::Log;
use tokio::io::{Interest, unix::AsyncFd};

/// The ring buffer `EVENTS`: lifecycle events, oldest first.
pub(crate) struct EventRing {
    ring: AsyncFd<RingBuf<MapData>>,
}

impl EventRing {
    /// # Errors
    /// The descriptor cannot be polled.
    pub(super) fn new(ring: RingBuf<MapData>) -> io::Result<Self> {
        // SAFETY: the map owns its descriptor, which is one and the same for as long as it lives,
        // and it is nowhere given away.
        Ok(Self { ring: unsafe { AsyncFd::register_with_interest(ring, Interest::READABLE)? } })
    }

    /// Waits until the kernel says that so many events wait that they should be fetched soon.
    ///
    /// It does not say so for a few (`Settings::wakeup_bytes`): call [`drain`](Self::drain) from
    /// time to time as well. Returns at once, again and again, until that has emptied the ring.
    ///
    /// # Errors
    /// The runtime is shutting down.
    pub(crate) async fn readable(&self) -> io::Result<()> {
        self.ring.readable().await?.retain_ready();
        Ok(())
    }

    /// Hands out the events that are there, at most `limit`, and gives back how many that were.
    /// Each is the bytes of an [`EventRecord`](tracer_common::EventRecord).
    pub(crate) fn drain(&mut self, limit: usize, mut each: impl FnMut(&[u8])) -> usize {
        let mut taken = 0;
        let mut take = |ring: &mut RingBuf<MapData>| {
            while taken < limit {
                let Some(event) = ring.next() else {
                    return Err(io::Error::from(io::ErrorKind::WouldBlock));
                };
                each(&event);
                taken += 1;
            }
            Ok(())
        };
        // Emptying the ring within this call, and only that, takes back the readiness, without
        // losing a wake-up that comes in between.
        let mut was_ready = false;
        let _ = self.ring.try_io_mut(Interest::READABLE, |ring| {
            was_ready = true;
            take(ring)
        });
        if !was_ready {
            let _ = take(self.ring.get_mut());
        }
        taken
    }
}

/// The kernel programs' log lines, handed on to the logger of the `log` crate.
pub(crate) struct LogRing {
    logger: AsyncFd<EbpfLogger<&'static dyn Log>>,
}

impl LogRing {
    /// # Errors
    /// The object has no log, or its descriptor cannot be polled.
    pub(super) fn new(ebpf: &mut Ebpf) -> anyhow::Result<Self> {
        let logger = EbpfLogger::init(ebpf)?;
        // SAFETY: the logger owns a map, which owns its descriptor; that is one and the same for as
        // long as it lives, and it is nowhere given away.
        let logger = unsafe { AsyncFd::register_with_interest(logger, Interest::READABLE) };
        Ok(Self { logger: logger.map_err(io::Error::from)? })
    }

    /// Waits for a line.
    ///
    /// # Errors
    /// The runtime is shutting down.
    pub(crate) async fn readable(&self) -> io::Result<()> {
        self.logger.readable().await?.retain_ready();
        Ok(())
    }

    /// Hands all lines to the logger.
    pub(crate) fn flush(&mut self) {
        let mut was_ready = false;
        let _ = self.logger.try_io_mut(Interest::READABLE, |logger| {
            was_ready = true;
            logger.flush();
            Err::<(), _>(io::Error::from(io::ErrorKind::WouldBlock))
        });
        if !was_ready {
            self.logger.get_mut().flush();
        }
    }
}
