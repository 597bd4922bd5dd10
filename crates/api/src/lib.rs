//! The argoproj.io/v1alpha1 resources that Serin serves: types, validation and field documentation.
