//! Why a lookup in BTF failed.

use std::fmt;

/// Why a lookup failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BtfError {
    /// The bytes are not BTF, or of a version that this reader does not know; with what is wrong.
    Malformed(&'static str),
    /// The BTF has no such structure, union or enumeration.
    NoType(String),
    /// The type has no such field or enumerator.
    NoField {
        /// The type at which the path begins.
        structure: String,
        /// The requested path.
        field: String,
    },
    /// The field is a bit field, so it has no byte offset.
    Bitfield {
        /// The type at which the path begins.
        structure: String,
        /// The requested path.
        field: String,
    },
}

impl fmt::Display for BtfError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(problem) => write!(formatter, "malformed type information: {problem}"),
            Self::NoType(name) => write!(formatter, "no type `{name}`"),
            Self::NoField { structure, field } => {
                write!(formatter, "no field `{structure}.{field}`")
            }
            Self::Bitfield { structure, field } => {
                write!(formatter, "`{structure}.{field}` is a bit field")
            }
        }
    }
}

impl std::error::Error for BtfError {}
