//! What the tracer and the inspection worker say to each other.
//!
//! The worker reads what watched processes control, so it may have been taken over: the tracer trusts
//! nothing in a reply but its form, and the form is checked here. A reply is as long as its request
//! allows, lists are as long as their bytes allow, every value is one of the type, and a reply that is
//! not about what was asked is refused ([`Reply::check`]).
//!
//! Both ends are the same program, so the format has no version. It is written by hand and not
//! derived, so that each type that crosses the boundary is listed in [`core_types`].
//!
//! A stream socket carries frames ([`frame`]) in both directions. The first frame to the worker is a
//! [`Setup`], after which it says that it is [ready](Reply::ready). Each further one is a [`Request`],
//! which the worker answers by one [`Reply`] with the same sequence number, in the order of the
//! requests.

#[macro_use]
mod codec;
mod core_types;
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
