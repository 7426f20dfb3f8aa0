//! The inputs of a command from its process and its host. Tests replace both.

use std::env;

use crate::{collect::backend::BackendSource, output::standard_output::StandardOutput};

/// The environment of one command.
pub(crate) struct Environment {
    /// The command line without the program's name, as it is kept in a recording.
    pub(crate) arguments: Vec<String>,
    /// Where results are written.
    pub(crate) output: StandardOutput,
    /// The source of events and snapshots.
    pub(crate) backend: BackendSource,
}

impl Environment {
    /// The environment of this process, on the running kernel.
    pub(crate) fn of_process() -> Self {
        Self {
            arguments: env::args_os().skip(1).map(|it| it.to_string_lossy().into()).collect(),
            output: StandardOutput::Process,
            backend: BackendSource::Host,
        }
    }
}
