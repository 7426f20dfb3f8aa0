//! The types of the file format. They are separate from those of `tracer-core`, so that every
//! recording still replays after changes to the core.
//!
//! Entries are written with [postcard](https://postcard.jamesmunns.com/wire-format), which writes
//! values only: fields in the order of their declaration without their names, enums as the number
//! of the variant, integers as varints (but `u8` as one byte). So **the order of fields and of
//! variants, and the type of each field, is the format**.
//!
//! # Rules
//! - Any change to what is written requires a new version, even a new variant at the end of an
//!   enum: programs that write the same version number must be able to read each other's files.
//! - Every version since 3 is read. A version is never removed, and its files never change their
//!   meaning.
//! - A type of `tracer-core` may change at any time. Its mirror here keeps the form of the file,
//!   and its [`Wire`] implementation is where the two meet. If they are the same, a macro generates
//!   it.
//!
//! # How to add a version
//! 1. Before the change, keep recordings of the current version N: copy some to
//!    `tracer/tests/recordings`, and their findings to `recording/tests/replays.rs`.
//! 2. Add the version to [`Version`], and make it [`Version::CURRENT`].
//! 3. If enums only gain variants at their end, version N is read with the changed types. For any
//!    other change, first copy each type that changes, and each type that contains one, to `vN.rs`
//!    with the number in its name, let earlier versions refer to these copies, and write
//!    `From<EntryVN> for Entry`, which converts each entry without knowing the others.
//! 4. Add the version to the tests of layouts, which write `wire/layout-vN.txt` for it. The files
//!    of earlier versions stay as they are.

#[macro_use]
mod mirror;

mod call_site_reason;
pub(super) mod entry;
pub(super) mod event;
pub(super) mod head;
pub(super) mod host;
pub(super) mod input;
pub(super) mod ledger;
pub(super) mod limit;
pub(super) mod note;
mod probe;
pub(super) mod process;
pub(super) mod question;
pub(super) mod readers;
pub(super) mod selection;
pub(super) mod socket;
pub(super) mod socket_change;
pub(super) mod time;
mod v3;
mod version;

pub(super) use mirror::{Count, Wire};
pub(super) use version::Version;

#[cfg(test)]
mod tests;
