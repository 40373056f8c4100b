//! Asking other servers for something, at addresses that people typed in: webhooks, and images for branding. An
//! address that leads into our own network is refused, however it is written (SSRF).

pub mod address;
pub mod client;
pub mod tls;

pub use client::{Answer, Client, Failure, Lookup, Policy};
