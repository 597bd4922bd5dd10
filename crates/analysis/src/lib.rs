//! Translates metric queries to and from provider APIs, and judges the samples.
