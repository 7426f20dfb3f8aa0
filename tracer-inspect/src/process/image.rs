//! Detects that a process has exited or executed another program.

use super::stat::main_thread;

/// The address space of a process at some time. `execve` replaces it, even if the process executes
/// the same program again.
///
/// It is known by the addresses of its code, stack and arguments, which are random, and which the
/// kernel keeps: no memory of the process is read, so the process cannot delay that. Without
/// address space layout randomization (`kernel.randomize_va_space` 0), the same program with the
/// same arguments and environment has the same addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    pid: u32,
    /// The start time of the process, in clock ticks since boot.
    started: u64,
    start_code: u64,
    start_stack: u64,
    arguments: Option<u64>,
}

impl Image {
    /// The current one of a process; `None` if the process has exited, or may not be traced.
    pub fn of(pid: u32) -> Option<Self> {
        let stat = main_thread(pid).ok()?;
        let image = Self {
            pid,
            started: stat.starttime,
            start_code: stat.startcode,
            start_stack: stat.startstack,
            arguments: stat.arg_start,
        };
        // A process that has exited has no stack, and without permission its address is 0.
        (image.start_stack != 0).then_some(image)
    }

    /// Whether the process has neither exited nor called `execve`.
    pub fn is_current(&self) -> bool {
        Self::of(self.pid).as_ref() == Some(self)
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

    /// The image of a child. It has no stack for a short time while it executes its program.
    #[track_caller]
    fn image_of(child: &Child) -> Image {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            if let Some(image) = Image::of(child.id()) {
                return image;
            }
            assert!(Instant::now() < deadline);
            thread::sleep(Duration::from_millis(5));
        }
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
        let image = image_of(&child);
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
        let image = image_of(&child);
        child.stdin.as_mut().unwrap().write_all(b"exec sh\n").unwrap();
        expect_end(&image);
        let again = image_of(&child);
        assert!(again.is_current());
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn a_child_that_ends_does_not_affect_its_parent() {
        let mut child = shell();
        let image = image_of(&child);
        // The shell continues after its child has exited.
        child.stdin.as_mut().unwrap().write_all(b"(exit 0)\nexec sleep 600\n").unwrap();
        expect_end(&image);
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
