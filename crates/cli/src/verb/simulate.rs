//! `simulate`: plays rollouts of a made-up or recorded service before the real judge. It asks nobody.

use std::path::Path;

use serin_analysis::simulation::record::{Record, Recording};

use super::{lint, replay};
use crate::failure::Failure;
use crate::flags::SimulateArguments;
use crate::paint::Paint;
use crate::print;
use crate::simulate::{Simulation, Source, text};

/// Performs the verb.
///
/// # Errors
/// A file that is no record, flags that do not fit it, or more windows than can be played in a moment.
pub(crate) fn run(arguments: &SimulateArguments, paint: Paint) -> Result<(), Failure> {
    let source = match &arguments.from {
        Some(file) => recorded(file, arguments)?,
        None => Source::MadeUp,
    };
    let simulation = Simulation::of(arguments, source).map_err(Failure::new)?;
    match arguments.output {
        Some(_) => print::json(&simulation),
        None => print::text(&text(&simulation, paint)),
    }
}

/// A table says how many requests there were in each window of `--interval`; an AnalysisRun knows how long its own were.
fn recorded(file: &Path, arguments: &SimulateArguments) -> Result<Source, Failure> {
    let noise = arguments.noise.unwrap_or_default().noise();
    let source = match file.extension().is_some_and(|extension| extension == "csv") {
        true => Record::of_table(&lint::read(file)?, arguments.interval.as_secs_f64()).map(Source::Table),
        false => Recording::of_run(&replay::of_file(file)?, noise).map(Source::Run),
    };
    source.map_err(|why| Failure::new(format!("cannot play {}: {why}", file.display())))
}
