//! What these tests share with the end-to-end tests.

#[path = "../end_to_end/support/host.rs"]
mod host;
#[path = "../end_to_end/support/program.rs"]
mod program;
#[path = "../end_to_end/support/puppet.rs"]
mod puppet;
#[path = "../end_to_end/support/report.rs"]
mod report;
#[path = "../end_to_end/support/rows.rs"]
mod rows;
#[path = "../end_to_end/support/tracer.rs"]
mod tracer;
#[path = "../schema/validator.rs"]
mod validator;

pub(crate) use self::{
    host::lacks_ipv6,
    program::Program,
    puppet::{Fd, Puppet, listed},
    report::Report,
    rows::Rows,
    tracer::{NOBODY, Tracer, program_for_all},
};
