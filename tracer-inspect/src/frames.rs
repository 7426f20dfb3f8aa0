//! Which frames of a stack are the application's.

pub mod frame;
mod pattern;
pub mod rules;
