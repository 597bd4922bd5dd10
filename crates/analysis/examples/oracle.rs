//! Runs the vector files of a folder through the judge: `cargo run -p serin-analysis --example oracle -- DIR`.
//!
//! Prints the counts per file and, alone on the last line, `N passed, N failed`; exits with 1 when one failed.

#[path = "../tests/support/oracle.rs"]
mod oracle;
#[path = "../tests/support/vectors.rs"]
mod vectors;

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let Some(folder) = std::env::args_os().nth(1) else {
        eprintln!("usage: oracle DIR");
        return ExitCode::FAILURE;
    };
    match oracle::run_folder(Path::new(&folder)) {
        Ok(score) => {
            println!("{} passed, {} failed", score.passed, score.failed);
            if score.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            println!("{error}\n0 passed, 1 failed");
            ExitCode::FAILURE
        }
    }
}
