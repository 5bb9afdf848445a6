//! routing-core
