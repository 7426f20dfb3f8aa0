use crate::wall_clock::WallClock;

/// What every sink needs to know beside the report: who says it, of which host, and what the
/// kernel's times mean there. Of a replay, the host of the recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Context {
    /// This tool's version, without its name.
    pub version: String,
    /// Host name (`uname -n`).
    pub host: String,
    /// Kernel release (`uname -r`).
    pub kernel: String,
    /// Turns the report's times into wall time.
    pub(crate) clock: WallClock,
}
