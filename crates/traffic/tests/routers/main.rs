//! Golden files and laws, over every router and case.

mod case;
mod golden;
mod law;
mod mutation;
mod random;
mod safety;
mod set;
