//! The life of an analysis or an experiment in one word.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Phase of an AnalysisRun, of a metric, of a measurement or of an Experiment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum AnalysisPhase {
    /// Nothing has looked at it yet.
    #[default]
    #[serde(rename = "")]
    Unset,
    /// Waits to begin.
    Pending,
    /// Measures.
    Running,
    /// Ended well.
    Successful,
    /// Ended badly, on evidence.
    Failed,
    /// Could not be measured.
    Error,
    /// Measured, and undecided: a person decides.
    Inconclusive,
}

impl AnalysisPhase {
    /// It will not change any more.
    pub fn completed(self) -> bool {
        !matches!(self, Self::Unset | Self::Pending | Self::Running)
    }
}

impl std::fmt::Display for AnalysisPhase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Unset => "",
            Self::Pending => "Pending",
            Self::Running => "Running",
            Self::Successful => "Successful",
            Self::Failed => "Failed",
            Self::Error => "Error",
            Self::Inconclusive => "Inconclusive",
        })
    }
}
