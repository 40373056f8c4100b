//! featured: a feature-flag and remote-configuration server in one file.
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used))]

pub mod engine;
