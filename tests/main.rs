//! One test binary: one module per door and per promise.

mod admin;
mod client;
mod engine;
mod reference;
mod support;
