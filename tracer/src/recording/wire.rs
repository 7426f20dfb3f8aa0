//! The types of the file format. They are separate from those of `tracer-core`, so that the judge
//! can change and every recording still replays.
//!
//! Entries are written with [postcard](https://postcard.jamesmunns.com/wire-format), which writes
//! values only: fields in the order of their declaration without their names, enums as the number
//! of the variant, integers as varints (but `u8` as one byte). So **the order of fields and of
//! variants, and the type of each field, is the format**.
//!
//! # Rules
//! - Any change to what is written takes a new version. This holds for a new variant at the end,
//!   too: programs that write the same version number read each other's files.
//! - Every version from 3 on is read. A version is never removed, and its files never change their
//!   meaning.
//! - A type of `tracer-core` may change at any time. Its mirror here keeps the form of the file, and
//!   its [`Wire`] implementation is where the two meet. Where they are the same, a macro writes it.
//!
//! # How to add a version
//! 1. Copy each type that will change, and each type that contains one, from its file to `vN.rs` for
//!    the version N that is written today, with the number in its name. Point the versions before
//!    at these copies.
//! 2. Change the types, and write `From<EntryVN> for Entry`, which must work entry by entry.
//! 3. Add the variant to [`Version`], and make it [`Version::CURRENT`].
//! 4. Add recordings of version N, made by the last program that writes it, to
//!    `tracer/tests/recordings`, and their expected findings to `tests/replays.rs` beside this.
//! 5. Add the version to the test of layouts, which writes `wire/layout-vN.txt`. Those of earlier
//!    versions must not change.

#[macro_use]
mod mirror;

pub(super) mod entry;
pub(super) mod event;
pub(super) mod head;
pub(super) mod host;
pub(super) mod input;
pub(super) mod ledger;
pub(super) mod process;
pub(super) mod readers;
pub(super) mod socket;
pub(super) mod socket_change;
pub(super) mod time;
mod v3;
mod version;

pub(super) use mirror::{Count, Wire};
pub(super) use version::Version;

#[cfg(test)]
mod tests;
