//! One test binary: one module per door and per promise.

mod engine;
mod reference;
