//! Who is asking: secrets, passwords, and the extractors that turn a request into somebody.

pub mod browser;
pub mod extract;
pub mod password;
pub mod seal;
pub mod secret;
