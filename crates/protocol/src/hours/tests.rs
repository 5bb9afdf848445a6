use super::*;

fn spans(texts: &[&str]) -> Vec<Span> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

/// Monday to Friday with a lunch break, Saturday morning, in Amsterdam; closed on a Christmas that is a Friday, open for an hour
/// on the Sunday of the fair.
fn shop() -> Hours {
    use Weekday::{Fri, Mon, Sat, Thu, Tue, Wed};
    let working = spans(&["09:00-12:30", "13:30-17:00"]);
    let mut week: BTreeMap<_, _> = [Mon, Tue, Wed, Thu, Fri].map(|day| (day, working.clone())).into();
    week.insert(Sat, spans(&["10:00-12:00"]));
    let holiday = |date: &str, open: &[&str]| Holiday { date: date.parse().unwrap(), open: spans(open) };
    Hours {
        name: SubjectToken::new("shop").unwrap(),
        zone: "Europe/Amsterdam".into(),
        week,
        holidays: vec![holiday("2026-12-25", &[]), holiday("2026-11-29", &["12:00-13:00"])],
    }
}

/// A local time of Amsterdam with its offset, as people write it.
fn at(text: &str) -> Millis {
    let moment: Timestamp = text.parse().unwrap();
    Millis(u64::try_from(moment.as_millisecond()).unwrap())
}

fn shown(at: Option<Millis>) -> String {
    let Some(at) = at else { return "never".into() };
    let moment = Timestamp::from_millisecond(i64::try_from(at.0).unwrap()).unwrap();
    jiff::ZonedDateTime::new(moment, TimeZone::get("Europe/Amsterdam").unwrap())
        .strftime("%a %d %b %H:%M:%S%:z")
        .to_string()
}

#[test]
fn a_working_day_has_a_lunch_break() {
    let calendar = Calendar::new(&shop()).unwrap();
    for (moment, is_open, next) in [
        ("2026-11-27T08:59:59.999+01:00", false, "Fri 27 Nov 09:00:00+01:00"),
        ("2026-11-27T09:00:00+01:00", true, "Fri 27 Nov 12:30:00+01:00"),
        ("2026-11-27T12:29:59.999+01:00", true, "Fri 27 Nov 12:30:00+01:00"),
        ("2026-11-27T12:30:00+01:00", false, "Fri 27 Nov 13:30:00+01:00"),
        ("2026-11-27T17:00:00+01:00", false, "Sat 28 Nov 10:00:00+01:00"),
        ("2026-11-28T12:00:00+01:00", false, "Sun 29 Nov 12:00:00+01:00"),
        ("2026-11-29T12:30:00+01:00", true, "Sun 29 Nov 13:00:00+01:00"),
        ("2026-11-29T13:00:00+01:00", false, "Mon 30 Nov 09:00:00+01:00"),
        ("2026-12-24T17:00:00+01:00", false, "Sat 26 Dec 10:00:00+01:00"),
    ] {
        assert_eq!(calendar.is_open(at(moment)), is_open, "{moment}");
        assert_eq!(shown(calendar.next_change(at(moment))), next, "{moment}");
    }
}

#[test]
fn both_days_on_which_the_clocks_change() {
    let mut hours = shop();
    hours.week.insert(Weekday::Sun, spans(&["01:30-02:30", "03:30-05:00"]));
    hours.holidays.clear();
    let calendar = Calendar::new(&hours).unwrap();
    // 29 March 2026: 02:00 becomes 03:00, so 02:30 is skipped and means 03:30; what touches is one span.
    let spring = at("2026-03-29T01:30:00+01:00");
    assert!(calendar.is_open(spring));
    assert_eq!(shown(calendar.next_change(spring)), "Sun 29 Mar 05:00:00+02:00");
    assert_eq!(calendar.open_between(spring, at("2026-03-29T05:00:00+02:00")), 150 * 60_000);
    // 25 October 2026: 03:00 becomes 02:00 again, so 02:30 comes twice and means the first.
    let autumn = at("2026-10-25T01:30:00+02:00");
    assert_eq!(shown(calendar.next_change(autumn)), "Sun 25 Oct 02:30:00+02:00");
    assert!(!calendar.is_open(at("2026-10-25T02:15:00+01:00")), "the second time it is closed");
    assert_eq!(shown(calendar.opens_at(at("2026-10-25T02:15:00+01:00"))), "Sun 25 Oct 03:30:00+01:00");
    // Days of 23 and 25 hours.
    let mut always = shop();
    always.week = Weekday::ALL.map(|day| (day, spans(&["00:00-24:00"]))).into();
    always.holidays.clear();
    let always = Calendar::new(&always).unwrap();
    let day = |from, to| always.open_between(at(from), at(to)) / 3_600_000;
    assert_eq!(day("2026-03-29T00:00:00+01:00", "2026-03-30T00:00:00+02:00"), 23);
    assert_eq!(day("2026-10-25T00:00:00+02:00", "2026-10-26T00:00:00+01:00"), 25);
    assert_eq!(always.next_change(at("2026-10-25T00:00:00+02:00")), None, "always open");
}

#[test]
fn a_span_that_the_clocks_skip_has_no_length() {
    let mut hours = shop();
    hours.week = [(Weekday::Sun, spans(&["02:00-03:00"]))].into();
    hours.holidays.clear();
    let calendar = Calendar::new(&hours).unwrap();
    assert_eq!(shown(calendar.opens_at(at("2026-03-28T12:00:00+01:00"))), "Sun 05 Apr 02:00:00+02:00");
}

#[test]
fn open_time_is_counted_over_breaks_nights_and_weekends() {
    let calendar = Calendar::new(&shop()).unwrap();
    let hour = 3_600_000;
    for (from, hours, ends) in [
        ("2026-11-27T12:00:00+01:00", 1, "Fri 27 Nov 14:00:00+01:00"),
        ("2026-11-27T11:30:00+01:00", 1, "Fri 27 Nov 12:30:00+01:00"),
        ("2026-11-27T16:00:00+01:00", 2, "Sat 28 Nov 11:00:00+01:00"),
        ("2026-11-27T20:00:00+01:00", 4, "Mon 30 Nov 10:00:00+01:00"),
        ("2026-12-24T16:30:00+01:00", 3, "Mon 28 Dec 09:30:00+01:00"),
    ] {
        let end = calendar.after(at(from), hours * hour);
        assert_eq!(shown(end), ends, "{hours} h from {from}");
        assert_eq!(calendar.open_between(at(from), end.unwrap()), hours * hour, "{from}");
    }
    assert_eq!(calendar.open_between(at("2026-11-27T12:00:00+01:00"), at("2026-11-27T12:00:00+01:00")), 0);
    assert_eq!(
        calendar.after(at("2026-11-27T12:00:00+01:00"), 10_000 * hour),
        None,
        "further than is looked"
    );
}

#[test]
fn what_never_opens_says_so() {
    let closed = Hours { week: BTreeMap::new(), holidays: Vec::new(), ..shop() };
    let calendar = Calendar::new(&closed).unwrap();
    let now = at("2026-11-27T12:00:00+01:00");
    assert!(!calendar.is_open(now));
    assert_eq!((calendar.next_change(now), calendar.opens_at(now)), (None, None));
}

#[test]
fn spans_and_dates_are_read_strictly() {
    for good in ["09:00-17:30", "00:00-24:00", "23:59-24:00"] {
        assert_eq!(good.parse::<Span>().unwrap().to_string(), good);
    }
    for bad in [
        "9:00-17:00",
        "09:00",
        "17:00-09:00",
        "09:00-09:00",
        "09:60-10:00",
        "00:00-24:01",
        "",
        "a-b",
        "09:00-17:00-18:00",
    ] {
        assert!(bad.parse::<Span>().is_err(), "{bad:?}");
    }
    assert_eq!("2026-12-25".parse::<Day>().unwrap().to_string(), "2026-12-25");
    for bad in ["2026-02-29", "25-12-2026", "2026-12-25T00", "20261225", ""] {
        assert!(bad.parse::<Day>().is_err(), "{bad:?}");
    }
}

#[test]
fn faults_are_told_all_at_once() {
    let mut hours = shop();
    assert_eq!(hours.faults(), []);
    hours.zone = "Europe/Amsterdamned".into();
    hours.week.insert(Weekday::Mon, spans(&["09:00-12:00", "12:00-13:00"]));
    hours.holidays[1].open = spans(&["12:00-13:00", "09:00-10:00"]);
    hours.holidays.push(hours.holidays[0].clone());
    let places: Vec<_> = hours.faults().into_iter().map(|(place, _)| place).collect();
    assert_eq!(places, ["zone", "week.mon", "holidays[1].open", "holidays[2].date"]);
}
