//! routing-service
