/// What the user side decides before it loads the programs; the read-only global `SETTINGS`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Settings {
    /// Device number of the tracer's pid namespace file (`stat /proc/self/ns/pid`).
    pub pid_namespace_device: u64,
    /// Inode number of the tracer's pid namespace file.
    pub pid_namespace_inode: u64,
    /// 1: only events of sockets that a process in the map `PIDS` opened or accepted, or that the
    /// user side put into the map `TRACKED`. 0: events of every socket.
    pub only_tracked: u32,
    /// 1: kernel-side diagnostics through aya-log.
    pub verbose: u32,
}

const _: () = assert!(size_of::<Settings>() == 24);
