//! What surrounds a page that is one of several.
//!
//! Owns the way up and the files below. Must not know what is on a page.

use serde::Serialize;

/// A name and where it leads, relative to the page.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Link {
    /// What is read.
    pub name: String,
    /// Where it leads.
    pub href: String,
}

impl Link {
    /// A link.
    pub fn new(name: impl Into<String>, href: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            href: href.into(),
        }
    }
}

/// What surrounds a page; nothing by default.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Around {
    /// Pages above this one, outermost first.
    pub trail: Vec<Link>,
    /// Files that the page is computed from.
    pub files: Vec<Link>,
    /// Why the figures are published although they are not valid.
    pub although: Option<String>,
}
