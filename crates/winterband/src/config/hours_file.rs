//! The opening hours of `routing.toml`.

use protocol::hours::{Hours, Span, Weekday};
use toml_edit::{InlineTable, Value};

use super::order_file::only;
use super::table::Table;

const SPANS: &str = "a list of spans, as in [\"09:00-12:30\", \"13:30-17:00\"]";
const HOLIDAYS: &str =
    "a list of { date = \"2026-12-25\", open = [\"10:00-12:00\"] }, of which open may be left out for closed";
const DAYS: [(&str, Weekday); 7] = [
    ("mon", Weekday::Mon),
    ("tue", Weekday::Tue),
    ("wed", Weekday::Wed),
    ("thu", Weekday::Thu),
    ("fri", Weekday::Fri),
    ("sat", Weekday::Sat),
    ("sun", Weekday::Sun),
];

pub(super) fn hours(table: &mut Table<'_, '_>) -> Option<Hours> {
    let (name, zone) = (table.token("name"), table.title("zone"));
    let week = DAYS.into_iter().filter_map(|(key, day)| Some((day, table.values(key, SPANS, span)?)));
    let week = week.collect();
    let holidays = table.list("holidays", HOLIDAYS, holiday).unwrap_or_default();
    Some(Hours { name: name?, zone: zone?, week, holidays })
}

fn span(value: &Value) -> Option<Span> {
    value.as_str()?.parse().ok()
}

fn holiday(table: &InlineTable) -> Option<protocol::hours::Holiday> {
    only(table, &["date", "open"])?;
    let open = match table.get("open") {
        Some(value) => value.as_array()?.iter().map(span).collect::<Option<Vec<_>>>()?,
        None => Vec::new(),
    };
    Some(protocol::hours::Holiday { date: table.get("date")?.as_str()?.parse().ok()?, open })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use protocol::hours::Weekday;

    use super::super::routing_file::{DEMO, FILE_NAME, read};

    fn with(hours: &str) -> Result<protocol::config::RoutingConfig, Vec<service::settings::Fault>> {
        let queue = "[[queue]]\nhours = \"shop\"\noverflow = \"orders\"\n";
        let text = DEMO.replacen("[[queue]]\n", queue, 1);
        read(FILE_NAME, &format!("{text}\n[[hours]]\n{hours}"), &BTreeMap::new())
    }

    #[test]
    fn a_week_with_breaks_and_holidays_is_read() {
        let text = r#"
name = "shop"
zone = "Europe/Amsterdam"
mon = ["09:00-12:30", "13:30-17:00"]
sun = []
holidays = [{ date = "2026-12-25" }, { date = "2026-12-24", open = ["09:00-12:00"] }]
"#;
        let config = with(text).unwrap();
        let hours = &config.hours[0];
        assert_eq!(hours.week[&Weekday::Mon].len(), 2);
        assert_eq!((hours.week[&Weekday::Sun].len(), hours.holidays.len()), (0, 2));
        assert_eq!(config.queues[0].overflow.as_ref().map(|queue| queue.as_str()), Some("orders"));
    }

    #[test]
    fn what_is_no_time_has_its_line() {
        let faults = with(
            "name = 'shop'\nzone = 'Europe/Amsterdam'\nmon = ['9-5']\nholidays = [{ date = '25-12' }]\n",
        );
        let paths: Vec<_> =
            faults.unwrap_err().into_iter().map(|fault| (fault.path, fault.line.is_some())).collect();
        assert_eq!(paths, [("hours[0].mon".to_owned(), true), ("hours[0].holidays".to_owned(), true)]);
        let faults =
            with("name = 'shop'\nzone = 'Mars'\nmon = ['09:00-12:00', '11:00-13:00']\n").unwrap_err();
        let found: Vec<_> = faults.iter().map(|fault| (fault.path.as_str(), fault.line.is_some())).collect();
        assert_eq!(found, [("hours[0].zone", true), ("hours[0].week.mon", true)]);
    }
}
