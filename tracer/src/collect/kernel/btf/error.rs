//! Why a question to BTF has no answer.

use std::fmt;

/// Why a question has no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BtfError {
    /// The bytes are not BTF, or not of a kind that this reader knows; what was wrong with them.
    Malformed(&'static str),
    /// There is no such structure, union or enumeration.
    NoType(String),
    /// The type has no such field or enumerator.
    NoField {
        /// The type that the path began at.
        structure: String,
        /// The whole path asked for.
        field: String,
    },
    /// The field is some bits of a larger unit, so it has no byte offset.
    Bitfield {
        /// The type that the path began at.
        structure: String,
        /// The whole path asked for.
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
