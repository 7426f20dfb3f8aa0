//! Puppets, runs of the tracer, and its reports.

mod cgroup;
mod code;
mod compiled;
mod go;
mod host;
mod launcher;
mod leak;
mod memory;
mod program;
mod puppet;
mod report;
mod rows;
mod section;
mod source_line;
mod tracer;
#[path = "../schema/validator.rs"]
pub(crate) mod validator;

pub(crate) use self::{
    cgroup::Cgroup,
    code::altered_code,
    compiled::{call_site_source, compile_c, compile_rust},
    go::{Form, Go, go_source},
    host::{found, lacks_ipv6},
    launcher::{children, is_running, launcher_of, worker_of},
    leak::{Kind, Leak, leak_within, one_by_one},
    memory::Memory,
    program::Program,
    puppet::{Fd, Listener, Puppet, listed},
    report::{Finding, Report, is_slow_host},
    rows::Rows,
    section::{replace_by_compressed, replace_section},
    source_line::line_of,
    tracer::{NOBODY, Outcome, Tracer, command, program_for_all, run_in},
};
