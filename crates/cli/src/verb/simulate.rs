//! `simulate`: plays rollouts of a made-up or recorded service before the real judge. It asks nobody.

use std::path::Path;

use serin_analysis::simulation::record::Record;

use super::{lint, replay};
use crate::failure::Failure;
use crate::flags::SimulateArguments;
use crate::paint::Paint;
use crate::print;
use crate::simulate::{Simulation, text};

/// Performs the verb.
///
/// # Errors
/// A file that is no record, flags that do not fit it, or more windows than can be played in a moment.
pub(crate) fn run(arguments: &SimulateArguments, paint: Paint) -> Result<(), Failure> {
    let seconds = arguments.interval.as_secs_f64();
    let record = arguments.from.as_deref().map(|file| recorded(file, seconds)).transpose()?;
    let simulation = Simulation::of(arguments, record).map_err(Failure::new)?;
    match arguments.output {
        Some(_) => print::json(&simulation),
        None => print::text(&text(&simulation, paint)),
    }
}

/// A table says how many requests there were in each window of `--interval`; an AnalysisRun knows how long its own were.
fn recorded(file: &Path, seconds: f64) -> Result<Record, Failure> {
    let record = match file.extension().is_some_and(|extension| extension == "csv") {
        true => Record::of_table(&lint::read(file)?, seconds),
        false => Record::of_run(&replay::of_file(file)?),
    };
    record.map_err(|why| Failure::new(format!("cannot play {}: {why}", file.display())))
}
