//! One test binary: one module per door and per promise.

mod account;
mod admin;
mod backup;
mod bad_input;
mod binary;
mod browser;
mod cli;
mod client;
mod crash;
mod engine;
mod gdpr;
mod mail;
mod migrate;
mod net;
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
mod webhooks;
