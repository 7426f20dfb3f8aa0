use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

/// A cgroup for one test, with its parents. It is removed when this is dropped, and processes still
/// in it are moved back to their previous cgroup.
pub(crate) struct Cgroup {
    mount: PathBuf,
    /// The path below the mount point.
    path: PathBuf,
    /// The directories created for it, the outermost first.
    made: Vec<PathBuf>,
}

impl Cgroup {
    /// Creates it in a hierarchy that allows it; `None` if the host has none, in which case the
    /// test says so and is skipped.
    #[expect(clippy::print_stderr, reason = "the test harness shows it")]
    pub(crate) fn make(path: &str) -> Option<Self> {
        let mounts = fs::read_to_string("/proc/mounts").expect("/proc is mounted");
        // The hierarchies `freezer` and `pids` accept any process, as does cgroup v2.
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

    /// Creates one whose processes together run for a millisecond each second; `None` if no hierarchy
    /// limits that, in which case the test says so and is skipped.
    #[expect(clippy::print_stderr, reason = "the test harness shows it")]
    pub(crate) fn make_slow(path: &str) -> Option<Self> {
        let mounts = fs::read_to_string("/proc/mounts").expect("/proc is mounted");
        for line in mounts.lines() {
            let words: Vec<&str> = line.split(' ').collect();
            let settings: &[_] = match words[2] {
                "cgroup2" => &[("cpu.max", "1000 1000000")],
                "cgroup" => &[("cpu.cfs_period_us", "1000000"), ("cpu.cfs_quota_us", "1000")],
                _ => continue,
            };
            let Ok(cgroup) = Self::make_in(Path::new(words[1]), Path::new(path)) else { continue };
            let directory = cgroup.mount.join(&cgroup.path);
            let set = |(file, value): &(&str, &str)| {
                let options = File::options().write(true).open(directory.join(file));
                options.and_then(|mut file| file.write_all(value.as_bytes())).is_ok()
            };
            if settings.iter().all(set) {
                return Some(cgroup);
            }
        }
        eprintln!("skipped: no cgroup here limits the time of its processes");
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

    /// Moves a process into the cgroup.
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
