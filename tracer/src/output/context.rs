use crate::wall_clock::WallClock;

/// What each output says about a run in addition to its report: the version of tracer, the host,
/// the command line, and how to convert the kernel's timestamps. For a replay, the host is that of
/// the recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Context {
    /// This tool's version, without its name.
    pub version: String,
    /// Host name (`uname -n`).
    pub host: String,
    /// Kernel release (`uname -r`).
    pub kernel: String,
    /// Id of the boot (`/proc/sys/kernel/random/boot_id`), if it is known; recordings do not have it.
    pub boot_id: Option<String>,
    /// Arguments of the command, without the program's name.
    pub arguments: Vec<String>,
    /// The arguments of the recorded run, for a replay.
    pub recorded_with: Option<Vec<String>>,
    /// Converts the report's timestamps to wall time.
    pub(crate) clock: WallClock,
}
