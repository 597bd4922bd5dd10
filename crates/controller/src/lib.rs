//! Performs: observes the cluster, asks core for a plan, records it and carries it out.
