//! What clients tell of after they were answered, or instead of asking.

use featured_engine::time::Millis;

/// One evaluation, or several equal ones, as a client reports it.
#[derive(Debug, PartialEq)]
pub struct Report {
    pub feature: String,
    /// JSON text, [shortened](crate::shorten).
    pub value: String,
    pub rule: Option<String>,
    pub variant: Option<String>,
    pub at: Millis,
    pub count: u64,
    pub user: Option<String>,
    /// JSON text of an object.
    pub context: Option<String>,
}

/// Something that a user did and that counts as a success.
#[derive(Debug, PartialEq)]
pub struct Event {
    pub event: String,
    pub user: String,
    pub value: f64,
    pub at: Millis,
}

/// Somebody who was shown a feature, as a client tells after the answer.
#[derive(Debug)]
pub struct Shown {
    pub feature: String,
    /// The rule that splits, and the variant that it gave.
    pub given: Option<(String, String)>,
    pub user: String,
    pub at: Millis,
}
