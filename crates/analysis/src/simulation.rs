//! A service that is played with dice, for trying the judge out: the seed is handed in, and the same seed gives the same
//! windows everywhere. The judge that looks at them is the real one.

pub mod dice;
pub mod questions;
pub mod record;
pub mod rollout;
pub mod service;
