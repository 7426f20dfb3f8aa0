//! The confidence of a finding.

use std::fmt;

use serde::Deserialize;

/// The confidence of a finding, from lowest to highest.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Confidence {
    Info,
    Possible,
    Likely,
    Certain,
}

impl Confidence {
    /// Whether a finding with this confidence counts as flagged.
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
