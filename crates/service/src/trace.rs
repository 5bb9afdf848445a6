//! Log lines: fields, not formatted text; on standard error; nothing personal in them.

use std::io::IsTerminal as _;

use anyhow::Context as _;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::settings::{LogFormat, LogSettings, Settings};

/// Sends the process's log lines to standard error, in the format and from the level of the settings.
///
/// # Errors
/// When called twice in a process, or when the filter does not parse; the process does not start then.
pub fn init(settings: &Settings) -> anyhow::Result<()> {
    let colours = if std::io::stderr().is_terminal() { Colours::On } else { Colours::Off };
    let subscriber = subscriber(&settings.log, colours, std::io::stderr)?;
    tracing::subscriber::set_global_default(subscriber).context("log lines already go somewhere")
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Colours {
    On,
    Off,
}

fn subscriber<W>(
    log: &LogSettings,
    colours: Colours,
    writer: W,
) -> anyhow::Result<Box<dyn tracing::Subscriber + Send + Sync>>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let filter = EnvFilter::builder().parse(&log.level).context("log.level does not parse")?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer);
    Ok(match log.format {
        LogFormat::Text => Box::new(lines.with_ansi(colours == Colours::On).finish()),
        LogFormat::Json => Box::new(lines.json().flatten_event(true).with_current_span(true).finish()),
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().map_err(|_| std::io::ErrorKind::Other)?.extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    impl<'a> MakeWriter<'a> for Lines {
        type Writer = Self;

        fn make_writer(&'a self) -> Self {
            self.clone()
        }
    }

    fn lines(format: LogFormat, level: &str) -> String {
        let written = Lines::default();
        let log = LogSettings { format, level: level.to_owned() };
        let subscriber =
            subscriber(&log, Colours::Off, written.clone()).unwrap_or_else(|error| panic!("{error}"));
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!(records = 3, "caught up");
            tracing::debug!("not at this level");
        });
        let bytes = written.0.lock().map(|bytes| bytes.clone()).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    #[test]
    fn json_lines_hold_fields() {
        let line: serde_json::Value = serde_json::from_str(&lines(LogFormat::Json, "info")).unwrap();
        assert_eq!(line["level"], "INFO");
        assert_eq!(line["message"], "caught up");
        assert_eq!(line["records"], 3);
    }

    #[test]
    fn text_lines_are_without_colours_and_obey_the_level() {
        let text = lines(LogFormat::Text, "info");
        assert!(text.contains("caught up") && text.contains("records=3"), "{text}");
        assert!(!text.contains('\u{1b}') && !text.contains("not at this level"), "{text}");
        assert_eq!(lines(LogFormat::Text, "error"), "");
    }

    #[test]
    fn a_second_start_is_an_error() {
        let settings = Settings::defaults().unwrap();
        init(&settings).unwrap();
        assert!(init(&settings).is_err());
    }
}
