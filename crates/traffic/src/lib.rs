//! Translates a Split to and from one kind of routing object.
