//! kubectl serin: see, promote, abort and explain rollouts.
