//! The built program without root: usage errors, missing privileges, and its own demo. Also the
//! puppet, the program that opens and holds connections for the end-to-end tests.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[expect(dead_code, reason = "some of it is for the end-to-end tests")]
mod support;

mod privileges;
mod puppet;
mod usage;
