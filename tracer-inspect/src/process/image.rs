//! Detects that a process has exited or executed another program.

use std::{
    fs::File,
    io::{self, ErrorKind},
    os::unix::fs::FileExt as _,
};

/// The address space of a process at the time this was opened. `execve` replaces it, even if the
/// process executes the same program again, which no other file in `/proc` shows.
#[derive(Debug)]
pub struct Image(File);

impl Image {
    /// Opens `/proc/PID/mem`.
    ///
    /// # Errors
    /// The process has exited, or its memory may not be read.
    pub fn open(pid: u32) -> io::Result<Self> {
        File::open(format!("/proc/{pid}/mem")).map(Self)
    }

    /// Whether the process has neither exited nor called `execve`. A read of an address space that
    /// no longer exists returns 0 bytes (`mem_rw` in `fs/proc/base.c`); of one that exists, a byte
    /// or an error.
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

    /// A shell that runs the commands on its stdin.
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
        // The child is a zombie until it is waited for.
        expect_end(&image);
        child.wait().unwrap();
        assert!(!image.is_current());
    }

    #[test]
    fn a_process_that_executes_the_same_program_again_is_no_longer_current() {
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
    fn a_child_that_ends_does_not_affect_its_parent() {
        let mut child = shell();
        let image = Image::open(child.id()).unwrap();
        // The shell continues after its child has exited.
        child.stdin.as_mut().unwrap().write_all(b"(exit 0)\nexec sleep 600\n").unwrap();
        expect_end(&image);
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
