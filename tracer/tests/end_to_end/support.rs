//! What the tests are written in: puppets, runs of the tracer, and its reports.

mod host;
mod leak;
mod puppet;
mod report;
mod rows;
mod tracer;

pub(crate) use self::{
    host::lacks_ipv6,
    leak::{Kind, Leak},
    puppet::{Fd, Listener, Puppet, listed},
    report::Report,
    rows::{HEADER, Rows},
    tracer::{Outcome, Tracer, command},
};
