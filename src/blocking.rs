//! Work that touches the database, on threads where that may take its time.

use std::any::Any;

use actix_web::web;
use tokio::sync::Semaphore;

use crate::error::{Error, Result};
use crate::store::READERS;

/// Password hashes at a time: each takes 35 ms of a core, and 19 MB, and a guesser may ask for hundreds.
pub static HASHES: Semaphore = Semaphore::const_new(4);
/// Reads of whole tables at a time: half of the connections are left to what is quick.
pub static LONG_READS: Semaphore = Semaphore::const_new(READERS as usize / 2);

/// In this form what carries it from thread to thread is built once, not for every caller.
type Job = Box<dyn FnOnce() -> Box<dyn Any + Send> + Send>;

/// Runs `f` on such a thread. Its own errors, and an internal one if it panics.
pub async fn block<T: Send + 'static>(f: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    let done = run(Box::new(move || Box::new(f()))).await?;
    *done.downcast::<Result<T>>().map_err(|_| Error::internal("a job gave something else"))?
}

/// The same, when it is its turn. Those who wait take up no thread.
pub async fn block_in_turn<T: Send + 'static>(
    turns: &'static Semaphore,
    f: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let turn = turns.acquire().await.map_err(Error::internal)?;
    // Ends with the work, not with whoever waits for it.
    block(move || {
        let _turn = turn;
        f()
    })
    .await
}

async fn run(job: Job) -> Result<Box<dyn Any + Send>> {
    web::block(job).await.map_err(Error::internal)
}
