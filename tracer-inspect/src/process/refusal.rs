//! Why something of a process could not be read, and what helps, in words.

use std::io::{self, ErrorKind};

/// Why nothing is known of a part of a process, and what helps.
pub fn refused(what: &str, error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::PermissionDenied => {
            format!("{what} may not be read: run as root, with CAP_SYS_PTRACE")
        }
        _ => format!("{what} cannot be read: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_not_be_read_is_said_with_what_helps() {
        let denied = io::Error::from_raw_os_error(libc::EACCES);
        assert_eq!(
            refused("its descriptors", &denied),
            "its descriptors may not be read: run as root, with CAP_SYS_PTRACE"
        );
        let other = io::Error::from_raw_os_error(libc::EMFILE);
        assert!(
            refused("its descriptors", &other).starts_with("its descriptors cannot be read: Too")
        );
    }
}
