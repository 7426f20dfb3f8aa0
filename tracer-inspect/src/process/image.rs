//! Whether a process still runs what it ran.

use std::{
    fs::File,
    io::{self, ErrorKind},
    os::unix::fs::FileExt as _,
};

/// The memory of a process as of when this was opened. A program that a process becomes (`execve`)
/// has another one, also if it is the same program again, which nothing else in `/proc` tells.
#[derive(Debug)]
pub struct Image(File);

impl Image {
    /// # Errors
    /// The process is gone, or does not let itself be read.
    pub fn open(pid: u32) -> io::Result<Self> {
        File::open(format!("/proc/{pid}/mem")).map(Self)
    }

    /// The process has neither ended nor become another program. The memory of one that has is
    /// empty to whoever opened it before; where there is memory, address 0 is an error.
    pub fn is_current(&self) -> bool {
        loop {
            match self.0.read_at(&mut [0], 0) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                outcome => return !matches!(outcome, Ok(0)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Child, Command, Stdio};
    use std::{
        io::Write as _,
        thread,
        time::{Duration, Instant},
    };

    use super::*;

    /// A shell that does what it is told.
    fn shell() -> Child {
        Command::new("sh").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap()
    }

    #[track_caller]
    fn expect_end(image: &Image) {
        let deadline = Instant::now() + Duration::from_secs(10);
        while image.is_current() {
            assert!(Instant::now() < deadline);
            thread::sleep(Duration::from_millis(5));
        }
    }

    #[test]
    fn a_process_that_ends_is_no_longer_current() {
        let mut child = shell();
        let image = Image::open(child.id()).unwrap();
        assert!(image.is_current());
        child.kill().unwrap();
        // It is a zombie until it is waited for.
        expect_end(&image);
        child.wait().unwrap();
        assert!(!image.is_current());
    }

    #[test]
    fn a_process_that_becomes_the_same_program_again_is_no_longer_current() {
        let mut child = shell();
        let image = Image::open(child.id()).unwrap();
        child.stdin.as_mut().unwrap().write_all(b"exec sh\n").unwrap();
        expect_end(&image);
        let again = Image::open(child.id()).unwrap();
        assert!(again.is_current());
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn a_process_that_was_forked_has_memory_of_its_own() {
        let mut child = shell();
        let image = Image::open(child.id()).unwrap();
        // The shell goes on while a child of it ends.
        child.stdin.as_mut().unwrap().write_all(b"(exit 0)\nexec sleep 600\n").unwrap();
        expect_end(&image);
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
