//! One pass over every open TCP socket of every process.

use std::{
    fs::File,
    io::{self, Read},
    sync::mpsc::{self, SyncSender},
    thread,
};

use aya::programs::Iter;
use bytes::{Buf, BytesMut};
use tracer_common::SocketRecord;
use zerocopy::FromBytes;

use super::kernel::Kernel;

/// Bytes asked for at a time. The kernel's own buffer (`bpf_seq_read`, eight pages) gives 32 KiB
/// at most.
const READ_BYTES: usize = 64 << 10;

/// Bytes of records that are passed on at a time: some thousand records.
const PIECE_BYTES: usize = 256 << 10;

/// How many of those may wait to be worked on, so that a pass takes a fixed amount of memory.
const PIECES_MAX: usize = 4;

/// What a pass was like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct WalkStats {
    /// Descriptors that refer to a TCP socket, or to one that looks like it.
    pub(crate) records: u64,
    /// The output ended within a record, which is lost: 0 or 1.
    pub(crate) truncated: u64,
}

impl Kernel {
    /// Visits every socket descriptor of every process that this one's pid namespace sees, in all
    /// network namespaces. Takes some 1.5 µs a socket, and a fixed amount of memory.
    ///
    /// A socket that is open from before the call until after it is among them, unless it is in no
    /// descriptor table just then: on its way over `SCM_RIGHTS`, not yet accepted, or held by
    /// `io_uring` alone.
    ///
    /// # Errors
    /// The kernel refused to start or to go on with the pass.
    pub(crate) fn walk(
        &mut self,
        each: &mut dyn FnMut(&SocketRecord),
    ) -> anyhow::Result<WalkStats> {
        let program: &mut Iter = self.program(self.snapshot_program())?.try_into()?;
        let link = program.attach()?;
        let mut file: File = program.take_link(link)?.into_file()?;
        Ok(read_records(&mut file, READ_BYTES, each)?)
    }
}

/// Reads records to the end, at most `read_bytes` at a time. The kernel makes them on a thread of
/// its own, so that nobody waits for what `each` makes of them.
pub(super) fn read_records(
    source: &mut (impl Read + Send),
    read_bytes: usize,
    each: &mut dyn FnMut(&SocketRecord),
) -> io::Result<WalkStats> {
    thread::scope(|scope| {
        let (sender, pieces) = mpsc::sync_channel(PIECES_MAX);
        let reader = scope.spawn(move || read_pieces(source, read_bytes, &sender));
        let mut records = 0;
        for mut piece in pieces {
            while let Ok((record, _)) = SocketRecord::read_from_prefix(&piece) {
                each(&record);
                records += 1;
                piece.advance(size_of::<SocketRecord>());
            }
        }
        let rest = reader.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        Ok(WalkStats { records, truncated: u64::from(rest > 0) })
    })
}

/// Reads to the end and sends whole records, many at a time. Gives how many bytes are left of one.
fn read_pieces(
    source: &mut impl Read,
    read_bytes: usize,
    sender: &SyncSender<BytesMut>,
) -> io::Result<usize> {
    let mut buffer = BytesMut::with_capacity(PIECE_BYTES + read_bytes);
    loop {
        let kept = buffer.len();
        buffer.resize(kept + read_bytes, 0);
        let outcome = source.read(&mut buffer[kept..]);
        buffer.truncate(kept + outcome.as_ref().map_or(0, |&count| count.min(read_bytes)));
        let is_end = matches!(outcome, Ok(0));
        match outcome {
            Ok(_) => {}
            // The kernel gives up its processor after a million files without a socket, and goes on
            // from there at the next read.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        if is_end || buffer.len() >= PIECE_BYTES {
            let whole = buffer.len() - buffer.len() % size_of::<SocketRecord>();
            // That nobody takes it is a panic on the other side, which is told there.
            if sender.send(buffer.split_to(whole)).is_err() || is_end {
                return Ok(buffer.len());
            }
            buffer.reserve(PIECE_BYTES + read_bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use zerocopy::{FromZeros, IntoBytes};

    use super::*;

    /// Gives its bytes in pieces of a given size, with errors in between.
    struct Pieces<'a> {
        bytes: &'a [u8],
        size: usize,
        errors: Vec<io::ErrorKind>,
    }

    impl Read for Pieces<'_> {
        fn read(&mut self, target: &mut [u8]) -> io::Result<usize> {
            if let Some(kind) = self.errors.pop() {
                return Err(kind.into());
            }
            let count = self.size.min(target.len()).min(self.bytes.len());
            target[..count].copy_from_slice(&self.bytes[..count]);
            self.bytes = &self.bytes[count..];
            Ok(count)
        }
    }

    fn records(count: u32) -> Vec<u8> {
        let mut bytes = Vec::new();
        for fd in 0..count {
            let mut record = SocketRecord::new_zeroed();
            record.fd = fd;
            bytes.extend_from_slice(record.as_bytes());
        }
        bytes
    }

    fn read(bytes: &[u8], size: usize, errors: Vec<io::ErrorKind>) -> (Vec<u32>, WalkStats) {
        let mut fds = Vec::new();
        let mut source = Pieces { bytes, size, errors };
        let stats = read_records(&mut source, 1_000, &mut |record| fds.push(record.fd)).unwrap();
        (fds, stats)
    }

    #[test]
    fn records_come_whole_however_they_are_cut() {
        let bytes = records(23);
        for size in [1, 7, 207, 208, 209, 416, 999, 1_000, 100_000] {
            let (fds, stats) = read(&bytes, size, Vec::new());
            assert_eq!(fds, (0..23).collect::<Vec<_>>(), "pieces of {size}");
            assert_eq!(stats, WalkStats { records: 23, truncated: 0 }, "pieces of {size}");
        }
    }

    #[test]
    fn interruptions_do_not_end_a_pass() {
        use io::ErrorKind::{Interrupted, WouldBlock};
        let (fds, _) = read(&records(3), 200, vec![WouldBlock, Interrupted, WouldBlock]);
        assert_eq!(fds, [0, 1, 2]);
    }

    #[test]
    fn a_record_without_an_end_is_counted() {
        let bytes = records(2);
        let (fds, stats) = read(&bytes[..bytes.len() - 1], 100, Vec::new());
        assert_eq!(fds, [0]);
        assert_eq!(stats, WalkStats { records: 1, truncated: 1 });
    }

    #[test]
    fn an_error_ends_a_pass() {
        let bytes = records(1);
        let errors = vec![io::ErrorKind::OutOfMemory];
        let mut source = Pieces { bytes: &bytes, size: 200, errors };
        let error = read_records(&mut source, 1_000, &mut |_| {}).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::OutOfMemory);
    }
}
