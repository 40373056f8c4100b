//! One test binary: one module per door and per promise.

mod account;
mod browser;
mod mail;
mod people;
mod session_api;
mod two_factor;
