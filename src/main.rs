//! Parses the command line, runs the subcommand, gives its exit code; nothing else.

use std::process::ExitCode;

/// Answers are made of many small pieces of memory; this hands them out faster than the C library does.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    featured::cli::run()
}
