//! One test binary: one module per door and per promise.

mod account;
mod admin;
mod bad_input;
mod browser;
mod client;
mod engine;
mod mail;
mod openapi;
mod people;
mod reference;
mod session_api;
mod support;
mod two_factor;
