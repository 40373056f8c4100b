//! featured: a feature-flag and remote-configuration server in one file.
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used))]

/// Every change a person can make.
pub mod admin;
/// The doors for programs.
pub mod api;
/// The application: store, snapshots and the one way to write.
pub mod app;
/// Who is asking.
pub mod auth;
/// Work that touches the database.
pub mod blocking;
/// How the pages of a site look.
pub mod branding;
/// The command line.
pub mod cli;
/// What time it is.
pub mod clock;
/// What the server was told.
pub mod config;
/// Evaluation, pure: a crate of its own in `src/engine`.
pub use featured_engine as engine;
/// Errors and their statuses.
pub mod error;
/// Row ids as types.
pub mod ids;
/// Work that nobody waits for.
pub mod jobs;
/// What is held in memory.
pub mod live;
/// Numbers for Prometheus.
pub mod metrics;
/// Asking other servers, safely.
pub mod net;
/// What it can be told, as it was given.
pub mod options;
/// Which path is served by which folder.
pub mod routes;
/// Listening, and ending well.
pub mod server;
/// Serving on a Unix socket.
pub mod socket;
/// What can be said of samples, pure.
pub mod statistics;
/// Numbers over UDP.
pub mod statsd;
/// The database.
pub mod store;
/// The doors for people.
pub mod ui;
/// Routes whose handlers have one type.
pub mod uniform;
/// YAML to JSON and back.
pub mod yaml;
