//! One pass of the iterator over every open TCP socket of every process.

use std::{
    collections::BTreeSet,
    io::{self, Read},
    mem,
    sync::mpsc::{self, Receiver, SyncSender},
    thread,
};

use anyhow::Context as _;
use bytes::BytesMut;
use tracer_common::{RawProcess, SocketRecord};
use tracer_core::TcpState;
use zerocopy::FromBytes;

use super::{
    extent::Extent,
    file_tables::{self, Loaded},
    load::Kernel,
};
use crate::collect::socket_records::{Fingerprint, SocketRecords};

/// Number of bytes requested per read. The kernel returns at most its own buffer (`bpf_seq_read`:
/// eight pages, 32 KiB).
const READ_BYTES: usize = 64 << 10;

/// Number of bytes of records that are passed on at a time: about 630 records, which fit into a
/// CPU's cache.
const PIECE_BYTES: usize = 128 << 10;

/// Number of buffers. They are reused, so a pass uses a fixed amount of memory.
const BUFFERS: usize = 4;

/// Statistics of a pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WalkStats {
    /// File descriptors that refer to a stream socket of IPv4 or IPv6.
    pub records: u64,
    /// 1 if the output ended within a record, which is lost; otherwise 0.
    pub truncated: u64,
}

/// How records are handled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    /// By another thread, while the kernel produces further ones: a pass takes less time.
    Overlapped,
    /// By the CPU that has produced them and has them in its cache: a pass uses less CPU time.
    InTurn,
}

impl Kernel {
    /// Visits the TCP file descriptors of every process that is visible in the tracer's pid
    /// namespace, in all network namespaces. Takes about 2µs each and a fixed amount of memory.
    ///
    /// A socket that is open during the whole call is among them, unless it is in no fd table at
    /// that time: in flight over `SCM_RIGHTS`, not accepted yet, or held only by `io_uring`.
    ///
    /// # Errors
    /// The kernel refused to start or to continue the pass.
    pub(crate) fn walk(
        &mut self,
        extent: Extent,
        reading: Reading,
        each: &mut dyn SocketRecords,
    ) -> anyhow::Result<WalkStats> {
        let fingerprints = self.fingerprints.clone();
        self.file_tables.has_processes = false;
        if !self.file_tables.can_walk(extent) {
            let each = &mut |record: &SocketRecord| fingerprints.pass_on(record, each);
            return self.walk_files(extent, reading, each);
        }
        let mut with_cookies = WithCookies {
            records: each,
            without_cookie: BTreeSet::new(),
            begun: BTreeSet::new(),
            before: mem::take(&mut self.file_tables.begun),
        };
        let records = self.walk_file_tables(&mut with_cookies)?;
        self.file_tables.has_processes = true;
        let WithCookies { records: each, without_cookie, begun, .. } = with_cookies;
        self.file_tables.begun = begun;
        let mut stats = WalkStats { records, truncated: 0 };
        if !without_cookie.is_empty() {
            log::debug!("{} sockets have no cookie yet", without_cookie.len());
            // The program for files assigns cookies.
            let rest = self.walk_files(extent, reading, &mut |record| {
                if without_cookie.contains(&(record.pid, record.fd)) {
                    fingerprints.pass_on(record, each);
                }
            })?;
            stats.truncated = rest.truncated;
        }
        Ok(stats)
    }

    /// The state of the processes that the latest pass has shown; none if it was a pass over files.
    pub(crate) fn processes(&self) -> &[RawProcess] {
        self.file_tables.processes()
    }

    /// One pass over file tables, with the extent for which its program is loaded. A socket without
    /// a cookie is reported with cookie 0. Returns the number of records.
    ///
    /// # Errors
    /// The kernel refused to start or to continue the pass.
    pub(super) fn walk_file_tables(&mut self, each: &mut dyn SocketRecords) -> anyhow::Result<u64> {
        let extent = self.file_tables.loaded.as_ref().map(Loaded::extent);
        let program = file_tables::program(extent.context("the program is not loaded")?);
        let mut file = self.open_iterator(program)?;
        let loaded = self.file_tables.loaded.as_mut().context("the program is not loaded")?;
        Ok(loaded.walk(&mut file, &self.fingerprints, each)?)
    }

    /// The same as [`walk`](Self::walk) with the iterator over files.
    pub(super) fn walk_files(
        &mut self,
        extent: Extent,
        reading: Reading,
        each: &mut dyn FnMut(&SocketRecord),
    ) -> anyhow::Result<WalkStats> {
        let mut file = self.open_iterator(self.walker(extent))?;
        let stats = match reading {
            Reading::Overlapped => read_records(&mut file, READ_BYTES, each)?,
            Reading::InTurn => read_records_in_turn(&mut file, READ_BYTES, each)?,
        };
        self.file_tables.after_pass(stats.records);
        Ok(stats)
    }
}

/// Passes on the records of sockets that have a cookie.
struct WithCookies<'a> {
    records: &'a mut dyn SocketRecords,
    /// Sockets without a cookie, by process and file descriptor.
    without_cookie: BTreeSet<(u32, u32)>,
    /// The sockets that were probably created just before and will be connected, in this pass and
    /// in the previous one: process, file descriptor and inode. They are not connections yet.
    begun: BTreeSet<(u32, u32, u64)>,
    before: BTreeSet<(u32, u32, u64)>,
}

impl SocketRecords for WithCookies<'_> {
    fn known_pass(&self) -> Option<u64> {
        self.records.known_pass()
    }

    fn begin_pass(&mut self, pass: u64) {
        self.records.begin_pass(pass);
    }

    fn add_same(&mut self, previous: u32, number: u32) {
        self.records.add_same(previous, number);
    }

    fn is_known(&mut self, fingerprint: &Fingerprint) -> bool {
        self.records.is_known(fingerprint)
    }

    fn add(&mut self, record: &SocketRecord, fingerprint: Fingerprint) {
        let place = (record.pid, record.fd, record.inode);
        let is_closed = TcpState::from_kernel(record.state) == Some(TcpState::Closed);
        let may_be_new = is_closed && record.local_port == 0;
        if record.cookie == 0 && may_be_new && !self.before.contains(&place) {
            self.begun.insert(place);
        } else if record.cookie == 0 {
            self.without_cookie.insert((record.pid, record.fd));
        } else {
            self.records.add(record, fingerprint);
        }
    }
}

/// Reads records to EOF, at most `read_bytes` at a time. The reads, in which the kernel produces
/// the records, are on a separate thread, so they continue while `each` handles records.
///
/// # Errors
/// The source cannot be read.
pub fn read_records(
    source: &mut (impl Read + Send),
    read_bytes: usize,
    each: &mut dyn FnMut(&SocketRecord),
) -> io::Result<WalkStats> {
    thread::scope(|scope| {
        let (pieces_in, pieces) = mpsc::sync_channel(BUFFERS);
        let (used, used_out) = mpsc::sync_channel(BUFFERS);
        for _ in 0..BUFFERS {
            // The channel has room for all buffers.
            let _ = used.send(BytesMut::zeroed(PIECE_BYTES + read_bytes));
        }
        let reader = scope.spawn(move || read_pieces(source, read_bytes, &pieces_in, &used_out));
        let mut records = 0;
        for Piece { buffer, length } in pieces {
            records += handle_records(&buffer[..length], each).0;
            // The reader has finished if this was the last buffer.
            let _ = used.send(buffer);
        }
        let rest = reader.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        Ok(WalkStats { records, truncated: u64::from(rest > 0) })
    })
}

/// Reads records to EOF, at most `read_bytes` at a time, and handles those of each read before the
/// next one.
///
/// # Errors
/// The source cannot be read.
fn read_records_in_turn(
    source: &mut impl Read,
    read_bytes: usize,
    each: &mut dyn FnMut(&SocketRecord),
) -> io::Result<WalkStats> {
    let mut buffer = BytesMut::zeroed(size_of::<SocketRecord>() + read_bytes);
    let (mut filled, mut records) = (0, 0);
    loop {
        let count = read_some(source, &mut buffer[filled..filled + read_bytes])?;
        filled += count;
        let (handled, left) = handle_records(&buffer[..filled], each);
        records += handled;
        if count == 0 {
            return Ok(WalkStats { records, truncated: u64::from(left > 0) });
        }
        buffer.copy_within(filled - left..filled, 0);
        filled = left;
    }
}

/// Handles the complete records in `bytes`. Returns their number, and the number of bytes after
/// them.
fn handle_records(mut bytes: &[u8], each: &mut dyn FnMut(&SocketRecord)) -> (u64, usize) {
    let mut records = 0;
    while let Ok((record, rest)) = SocketRecord::read_from_prefix(bytes) {
        each(&record);
        records += 1;
        bytes = rest;
    }
    (records, bytes.len())
}

/// The number of bytes read; 0 at EOF.
fn read_some(source: &mut impl Read, target: &mut [u8]) -> io::Result<usize> {
    loop {
        match source.read(target) {
            Ok(count) => return Ok(count.min(target.len())),
            // After a million files without a socket the kernel returns EAGAIN to let other tasks
            // run; the next read continues from there.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// A buffer that begins with complete records.
struct Piece {
    buffer: BytesMut,
    length: usize,
}

/// Reads to EOF and sends complete records, many at a time. Returns the number of bytes of a last,
/// incomplete one.
fn read_pieces(
    source: &mut impl Read,
    read_bytes: usize,
    pieces: &SyncSender<Piece>,
    used: &Receiver<BytesMut>,
) -> io::Result<usize> {
    // A closed channel means that the other side has panicked, which is reported there.
    let Ok(mut buffer) = used.recv() else { return Ok(0) };
    let mut filled = 0;
    loop {
        let count = read_some(source, &mut buffer[filled..filled + read_bytes])?;
        filled += count;
        let is_end = count == 0;
        if is_end || filled >= PIECE_BYTES {
            let left = filled % size_of::<SocketRecord>();
            let Ok(mut next) = used.recv() else { return Ok(left) };
            let length = filled - left;
            next[..left].copy_from_slice(&buffer[length..filled]);
            if pieces.send(Piece { buffer, length }).is_err() || is_end {
                return Ok(left);
            }
            (buffer, filled) = (next, left);
        }
    }
}

#[cfg(test)]
mod tests {
    use zerocopy::{FromZeros, IntoBytes};

    use super::*;

    /// Returns its bytes in pieces of a given size, with errors in between.
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
        let (mut fds, mut fds_in_turn) = (Vec::new(), Vec::new());
        let mut source = Pieces { bytes, size, errors: errors.clone() };
        let stats = read_records(&mut source, 1_000, &mut |record| fds.push(record.fd)).unwrap();
        let (mut source, mut each) =
            (Pieces { bytes, size, errors }, |record: &SocketRecord| fds_in_turn.push(record.fd));
        let stats_in_turn = read_records_in_turn(&mut source, 1_000, &mut each).unwrap();
        assert_eq!((&fds_in_turn, stats_in_turn), (&fds, stats));
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
        let source = || Pieces { bytes: &bytes, size: 200, errors: errors.clone() };
        let error = read_records(&mut source(), 1_000, &mut |_| {}).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::OutOfMemory);
        let error = read_records_in_turn(&mut source(), 1_000, &mut |_| {}).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::OutOfMemory);
    }
}
