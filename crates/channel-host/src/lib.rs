//! channel-host
