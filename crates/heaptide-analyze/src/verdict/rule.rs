//! What of the rule a caller may set.

/// The constants of the rule that a caller may set.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// Fewer slots than this decide nothing.
    pub least_slots: usize,
    /// The accepted rate of false discoveries.
    pub alpha: f64,
    /// The work counter to judge by; absent: the one that explains the growth best.
    pub work: Option<String>,
}

impl Default for Rule {
    fn default() -> Self {
        Self { least_slots: 20, alpha: 0.01, work: None }
    }
}
