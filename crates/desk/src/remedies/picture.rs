//! What was given, asked and praised, with the names that people read; words are still sealed.

use std::sync::Arc;

use super::{Given, Kudos, OpenAsk};

/// Something given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RemedyPicture {
    pub(crate) given: Arc<Given>,
    pub(crate) by: Arc<str>,
    pub(crate) approved_by: Option<Arc<str>>,
}

/// An ask as one of its people sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AskPicture {
    pub(crate) ask: Arc<OpenAsk>,
    pub(crate) is_mine: bool,
    pub(crate) by: Arc<str>,
}

/// Praise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KudosPicture {
    pub(crate) kudos: Arc<Kudos>,
    /// The colleague's name.
    pub(crate) by: Option<Arc<str>>,
}
