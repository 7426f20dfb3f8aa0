//! The processes of a session.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

/// The processes of every session, by session id, except those that exit in the meantime.
pub(crate) fn all() -> BTreeMap<u32, BTreeSet<u32>> {
    let mut sessions = BTreeMap::<u32, BTreeSet<u32>>::new();
    let Ok(listing) = fs::read_dir("/proc") else { return sessions };
    for entry in listing.flatten() {
        let name = entry.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) else { continue };
        let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        if let Some(session) = session(&stat) {
            sessions.entry(session).or_default().insert(pid);
        }
    }
    sessions
}

/// The session id in a line of `/proc/PID/stat`; `None` for a zombie. The name in parentheses can
/// contain anything.
fn session(stat: &str) -> Option<u32> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace();
    let state = fields.next()?;
    // The fields are parent, process group and session.
    let session = fields.nth(2)?.parse().ok()?;
    (!["Z", "X"].contains(&state)).then_some(session)
}

#[cfg(test)]
mod tests {
    use std::process;

    use super::{all, session};

    #[test]
    fn a_name_can_contain_anything() {
        assert_eq!(session("12 (a) b (c) S 1 11 10 0 -1"), Some(10));
        assert_eq!(session("12 (sh) Z 1 11 10 0 -1"), None);
        assert_eq!(session("12 (sh"), None);
        assert_eq!(session(""), None);
    }

    #[test]
    fn this_process_is_in_one_session() {
        let sessions = all();
        let holding = sessions.values().filter(|pids| pids.contains(&process::id()));
        assert_eq!(holding.count(), 1);
    }
}
