//! channel-web
