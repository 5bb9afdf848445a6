//! The product as people use it: a customer in the shop and two agents at their desks, each in a browser of their own.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod admin;
mod aside;
mod axe;
mod bots;
mod browser;
mod busy_floor;
mod company;
mod customer;
mod desk;
mod driver;
mod files;
mod floor;
mod gives;
mod incidents;
mod line;
mod long;
mod pages;
mod parked;
mod regulars;
mod rights;
mod scene;
mod search;
mod shift;
mod shop;
mod sign_in;
mod story;
mod thread;
mod users;
mod waits;
