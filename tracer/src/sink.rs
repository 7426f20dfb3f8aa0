//! Where reports become bytes: a table, JSON, CSV or a page. Everything here but `CsvFile` is pure.

mod context;
mod coverage;
pub(crate) mod csv;
mod escape;
#[cfg(test)]
pub(crate) mod fixture;
pub(crate) mod html;
pub(crate) mod incident;
pub(crate) mod json;
mod quantity;
pub(crate) mod table;
pub(crate) mod terminal;

pub(crate) use context::Context;
