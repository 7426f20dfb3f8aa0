//! How sure the judge is.

use std::fmt;

use serde::Deserialize;

/// How sure the judge is, from least to most.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Confidence {
    Info,
    Possible,
    Likely,
    Certain,
}

impl Confidence {
    /// Sure enough to wake somebody up.
    pub(crate) fn is_flag(self) -> bool {
        self > Self::Possible
    }
}

impl fmt::Display for Confidence {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Info => "info",
            Self::Possible => "possible",
            Self::Likely => "likely",
            Self::Certain => "certain",
        })
    }
}
