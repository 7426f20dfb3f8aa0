//! The protocol between the tracer and the inspection worker.
//!
//! The worker reads what watched processes control, so one of them may have compromised it. The
//! tracer therefore does not trust the content of a reply, and its form is checked here: a reply is
//! no longer than its request allows, a list has no more elements than there are bytes, every value
//! is valid for its type, and a reply about anything but the question is refused
//! ([`Reply::check`]).
//!
//! Both ends are the same program, so the format has no version. It is written by hand instead of
//! derived, so that every type that crosses the boundary is listed in [`core_types`].
//!
//! A stream socket carries frames ([`frame`]) in both directions. The first frame to the worker is
//! a [`Setup`], after which it says that it is [ready](Reply::ready). Each further one is a
//! [`Request`], which the worker answers by one [`Reply`] with the same sequence number, in the
//! order of the requests.

#[macro_use]
mod codec;
mod core_types;
pub mod fd_passing;
pub mod frame;
mod matching;
mod reply;
mod request;

pub use codec::Malformed;
pub use matching::Mismatch;
pub use reply::{Answer, Reply};
pub use request::{Request, Setup, Task, TaskKind};

#[cfg(test)]
mod tests;
