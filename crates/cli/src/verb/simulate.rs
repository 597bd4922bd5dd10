//! `simulate`: plays rollouts of a made-up service before the real judge. It asks nobody.

use crate::failure::Failure;
use crate::flags::SimulateArguments;
use crate::paint::Paint;
use crate::print;
use crate::simulate::{Simulation, text};

/// Performs the verb.
///
/// # Errors
/// More windows than can be played in a moment.
pub(crate) fn run(arguments: &SimulateArguments, paint: Paint) -> Result<(), Failure> {
    let simulation = Simulation::of(arguments).map_err(Failure::new)?;
    match arguments.output {
        Some(_) => print::json(&simulation),
        None => print::text(&text(&simulation, paint)),
    }
}
