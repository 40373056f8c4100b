//! One test binary: one module per door and per promise.

mod client;
mod engine;
mod reference;
mod support;
