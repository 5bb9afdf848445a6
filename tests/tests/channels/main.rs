//! Channels whose providers send to us and are sent to: a partner's system by signed webhooks, mailboxes on real mail servers,
//! a bot on a Bot API that remembers what it is told.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "a test fails by panicking, and looks only at what it waits for"
)]

mod arrival;
mod botapi;
mod canary;
mod customer;
mod graph;
mod mail;
mod mailhost;
mod messaging;
mod onward;
mod pages;
mod partner;
mod scene;
mod seat;
mod secure;
mod telegram;
mod traces;
mod twilio;
mod webhook;
mod whatsapp;
