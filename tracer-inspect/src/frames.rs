//! Decides which frames of a stack belong to the application.

pub mod frame;
mod pattern;
pub mod rules;
