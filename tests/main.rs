//! One test binary: one module per door and per promise.

mod account;
mod admin;
mod analytics;
mod bad_input;
mod binary;
mod branding;
mod browser;
mod cli;
mod client;
mod crash;
mod engine;
mod featurehub;
mod mail;
mod migrate;
mod net;
mod ofrep;
mod openapi;
mod people;
mod processes;
mod reference;
mod session_api;
mod start;
mod stop;
mod stream;
mod support;
mod two_factor;
