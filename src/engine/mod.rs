//! Evaluation, pure: no I/O, no clock, no randomness, neither actix nor rusqlite. Everything it needs is
//! handed in, so every door, the CLI and the tests get the same answers.

#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used))]

pub mod answer;
pub mod bucket;
pub mod compile;
pub mod condition;
pub mod context;
pub mod decode;
pub mod diff;
pub mod document;
pub mod evaluate;
pub mod explain;
pub mod feature;
pub mod flagr;
pub mod lookup;
pub mod matcher;
pub mod number;
pub mod numbers;
pub mod permission;
pub mod shapes;
pub mod snapshot;
#[cfg(test)]
mod testing;
pub mod time;
pub mod value;
pub mod version;
pub mod words;
