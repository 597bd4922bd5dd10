//! A simulated cluster with a virtual clock and seeded faults, for tests and for simulate.
