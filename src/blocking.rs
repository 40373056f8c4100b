//! Work that touches the database, on threads where that may take its time.

use std::any::Any;

use actix_web::web;

use crate::error::{Error, Result};

/// In this form what carries it from thread to thread is built once, not for every caller.
type Job = Box<dyn FnOnce() -> Box<dyn Any + Send> + Send>;

/// Runs `f` on such a thread. Its own errors, and an internal one if it panics.
pub async fn block<T: Send + 'static>(f: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    let done = run(Box::new(move || Box::new(f()))).await?;
    *done.downcast::<Result<T>>().map_err(|_| Error::internal("a job gave something else"))?
}

async fn run(job: Job) -> Result<Box<dyn Any + Send>> {
    web::block(job).await.map_err(Error::internal)
}
