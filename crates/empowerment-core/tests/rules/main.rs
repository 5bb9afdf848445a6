//! What policies answer, and which are not loaded.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, and looks at the parts that it is about"
)]

mod house;
mod loader;
mod loader_cards;
mod ruling;
mod story;
