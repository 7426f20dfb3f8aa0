use super::*;

const PIECE: &[u8] = b"a row,\"with \"\"quotes\"\" in it\",and three cells\r\n";

/// A disk with `room` bytes, on which truncating may fail.
struct SmallDisk {
    bytes: Vec<u8>,
    room: usize,
    cannot_shrink: bool,
}

impl Write for SmallDisk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = bytes.len().min(self.room - self.bytes.len());
        if count == 0 {
            return Err(ErrorKind::StorageFull.into());
        }
        self.bytes.extend_from_slice(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Output for SmallDisk {
    fn set_length(&mut self, length: u64) -> io::Result<()> {
        if self.cannot_shrink {
            return Err(ErrorKind::PermissionDenied.into());
        }
        self.bytes.truncate(usize::try_from(length).unwrap());
        Ok(())
    }
}

fn disk(room: usize) -> AtomicAppender<SmallDisk> {
    AtomicAppender::new(SmallDisk { bytes: Vec::new(), room, cannot_shrink: false }, 0)
}

#[test]
fn a_full_disk_holds_whole_pieces() {
    for room in 0..5 * PIECE.len() {
        let mut pieces = disk(room);
        let accepted = (0..5).filter(|_| pieces.append(PIECE).is_ok()).count();
        assert_eq!(accepted, room / PIECE.len());
        assert_eq!(pieces.output.bytes, PIECE.repeat(accepted));
        // Once there is room again, the next piece follows the last complete one.
        pieces.output.room = usize::MAX;
        pieces.append(PIECE).unwrap();
        assert_eq!(pieces.output.bytes, PIECE.repeat(accepted + 1));
    }
}

#[test]
fn part_of_a_piece_is_removed_before_the_next_piece() {
    let mut pieces = disk(PIECE.len() + 5);
    pieces.output.cannot_shrink = true;
    pieces.append(PIECE).unwrap();
    pieces.append(PIECE).unwrap_err();
    assert!(pieces.is_torn);
    pieces.output.room = usize::MAX;
    pieces.append(PIECE).unwrap_err();
    assert_eq!(pieces.output.bytes.len(), PIECE.len() + 5);
    pieces.output.cannot_shrink = false;
    pieces.append(PIECE).unwrap();
    assert_eq!(pieces.output.bytes, PIECE.repeat(2));
}
