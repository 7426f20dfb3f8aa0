use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// A cgroup of a test's own, with those above it. It is gone when this is dropped, and whoever is
/// still in it is where it was before.
pub(crate) struct Cgroup {
    mount: PathBuf,
    /// From the mount on.
    path: PathBuf,
    /// What was made for it, the outermost first.
    made: Vec<PathBuf>,
}

impl Cgroup {
    /// Makes it where the host has a hierarchy that allows it; if there is none, a test has nothing
    /// to test and says so.
    #[expect(clippy::print_stderr, reason = "the test harness shows it")]
    pub(crate) fn make(path: &str) -> Option<Self> {
        let mounts = fs::read_to_string("/proc/mounts").expect("/proc is mounted");
        // The freezer and what counts processes let in whoever comes, as does the second version.
        let places = mounts.lines().filter_map(|line| {
            let words: Vec<&str> = line.split(' ').collect();
            let is_open = words[2] == "cgroup2"
                || words[2] == "cgroup"
                    && words[3].split(',').any(|option| ["pids", "freezer"].contains(&option));
            is_open.then(|| PathBuf::from(words[1]))
        });
        let mut refusals = Vec::new();
        for mount in places {
            match Self::make_in(&mount, Path::new(path)) {
                Ok(cgroup) => return Some(cgroup),
                Err(error) => refusals.push(format!("{}: {error}", mount.display())),
            }
        }
        eprintln!("skipped: no cgroup can be made here ({})", refusals.join("; "));
        None
    }

    fn make_in(mount: &Path, path: &Path) -> io::Result<Self> {
        let mut cgroup = Self { mount: mount.to_owned(), path: path.to_owned(), made: Vec::new() };
        let mut place = mount.to_owned();
        for part in path {
            place.push(part);
            if !place.is_dir() {
                fs::create_dir(&place)?;
                cgroup.made.push(place.clone());
            }
        }
        Ok(cgroup)
    }

    /// Moves a process into it.
    pub(crate) fn admit(&self, pid: u32) {
        let file = self.mount.join(&self.path).join("cgroup.procs");
        fs::write(file, pid.to_string()).expect("the cgroup takes processes");
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        let members = fs::read_to_string(self.mount.join(&self.path).join("cgroup.procs"));
        for pid in members.unwrap_or_default().lines() {
            let _ = fs::write(self.mount.join("cgroup.procs"), pid);
        }
        for place in self.made.iter().rev() {
            let _ = fs::remove_dir(place);
        }
    }
}
