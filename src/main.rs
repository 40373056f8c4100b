//! Parses the command line, runs the subcommand, gives its exit code; nothing else.

use std::process::ExitCode;

fn main() -> ExitCode {
    featured::cli::run()
}
