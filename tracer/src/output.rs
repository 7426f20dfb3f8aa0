//! Renders reports as a table, JSON, CSV or a page, and writes them.

mod context;
pub(crate) mod coverage;
pub(crate) mod csv;
pub(crate) mod destination;
mod escape;
pub(crate) mod exit_code;
mod finding_events;
#[cfg(test)]
pub(crate) mod fixture;
pub(crate) mod history;
pub(crate) mod html;
pub(crate) mod incident;
pub mod json;
pub(crate) mod listing;
pub(crate) mod logging;
pub(crate) mod options;
pub(crate) mod quantity;
pub(crate) mod standard_output;
pub(crate) mod table;
pub(crate) mod terminal;
pub(crate) mod words;

pub use context::Context;
