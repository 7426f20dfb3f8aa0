//! Reads events and log lines from the ring buffers of the BPF programs.

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
    /// The file descriptor cannot be polled.
    pub(super) fn new(ring: RingBuf<MapData>) -> io::Result<Self> {
        // SAFETY: the map owns its file descriptor, which stays open and the same until the map is
        // dropped. `AsyncFd` owns the map.
        Ok(Self { ring: unsafe { AsyncFd::register_with_interest(ring, Interest::READABLE)? } })
    }

    /// Waits until the ring holds as many events as wake user space (`Settings::wakeup_bytes`).
    ///
    /// Fewer events do not wake it, so [`drain`](Self::drain) must also be called periodically.
    /// Returns immediately until `drain` has emptied the ring.
    ///
    /// # Errors
    /// The runtime is shutting down.
    pub(crate) async fn readable(&self) -> io::Result<()> {
        self.ring.readable().await?.retain_ready();
        Ok(())
    }

    /// Calls `each` with the bytes of every event in the ring, at most `limit`, and returns their
    /// number. Each should be an [`EventRecord`](tracer_common::EventRecord).
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
        // The readiness is cleared only if the ring was emptied within this call, so that a wakeup
        // in the meantime is not lost.
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

/// The BPF programs' log lines, passed to the logger of the `log` crate.
pub(crate) struct LogRing {
    logger: AsyncFd<EbpfLogger<&'static dyn Log>>,
}

impl LogRing {
    /// # Errors
    /// The object has no log, or its file descriptor cannot be polled.
    pub(super) fn new(ebpf: &mut Ebpf) -> anyhow::Result<Self> {
        let logger = EbpfLogger::init(ebpf)?;
        // SAFETY: the logger owns a map, which owns its file descriptor; that stays open and the
        // same until the logger is dropped. `AsyncFd` owns the logger.
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

    /// Passes all lines to the logger.
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
