use super::*;

const NOW: Millis = Millis(1_000_000);

fn token(text: &str) -> SubjectToken {
    SubjectToken::new(text).unwrap()
}

fn arrival() -> Arrival {
    let json = r#"{"id": "winter-26", "title": "Winter collection", "queue": "sales", "suits": {"tags": ["coats"]},
        "words": {"en": "Dear {customer}, new coats are in.\n{agent}", "nl": "Beste {customer}, kies tot {until}."}, "until": 1000001}"#;
    serde_json::from_str(json).unwrap()
}

fn check(change: impl FnOnce(&mut Arrival)) -> Result<(), BadArrival> {
    let mut changed = arrival();
    change(&mut changed);
    changed.check(NOW)
}

#[test]
fn an_arrival_is_taken_at_its_limits_and_not_past_them() {
    assert_eq!(arrival().check(NOW), Ok(()));
    assert_eq!(check(|one| one.title = "x".repeat(TITLE_BYTES_MAX)), Ok(()));
    for title in ["x".repeat(TITLE_BYTES_MAX + 1), " ".to_owned(), "two\nlines".to_owned()] {
        assert_eq!(check(|one| one.title = title), Err(BadArrival::Title));
    }
    let tags = |count: usize| (0..count).map(|n| token(&format!("t{n}"))).collect::<BTreeSet<_>>();
    assert_eq!(check(|one| one.suits.tags = tags(ARRIVAL_SUITS_MAX)), Ok(()));
    for count in [0, ARRIVAL_SUITS_MAX + 1] {
        assert_eq!(check(|one| one.suits.tags = tags(count)), Err(BadArrival::Suits), "{count}");
    }
    assert_eq!(
        check(|one| {
            one.suits.tags = tags(ARRIVAL_SUITS_MAX);
            one.suits.categories = tags(1);
        }),
        Err(BadArrival::Suits)
    );
    let languages = |count: u8, words: &str| -> Words {
        (0..count)
            .map(|n| (format!("a{}", char::from(b'a' + n)).parse().unwrap(), words.to_owned()))
            .collect()
    };
    let most = u8::try_from(ARRIVAL_LANGUAGES_MAX).unwrap();
    let longest = "x".repeat(ARRIVAL_WORDS_BYTES_MAX);
    assert_eq!(check(|one| one.words = languages(most, &longest)), Ok(()));
    for words in [
        languages(0, "x"),
        languages(most + 1, "x"),
        languages(1, &format!("{longest}x")),
        languages(1, " "),
        languages(1, "a\tb"),
    ] {
        assert_eq!(check(|one| one.words = words), Err(BadArrival::Words));
    }
    assert_eq!(check(|one| one.until = NOW), Err(BadArrival::Until));
    assert_eq!(check(|one| one.until = NOW.plus(ARRIVAL_MS_MAX)), Ok(()));
    assert_eq!(check(|one| one.until = NOW.plus(ARRIVAL_MS_MAX + 1)), Err(BadArrival::Until));
}

#[test]
fn places_and_forms_are_those_that_somebody_knows() {
    let place = check(|one| drop(one.words.insert("en".parse().unwrap(), "Dear {name}".to_owned())));
    assert_eq!(place, Err(BadArrival::Place("name".to_owned())));
    assert!(place.unwrap_err().to_string().contains("{name}"));
    assert_eq!(places_of("{ {customer} {}{Agent}{agent").collect::<Vec<_>>(), ["customer"]);
    let form = |language: &str, name: &str| {
        let (language, form) =
            (language.parse().unwrap(), Form { name: name.to_owned(), language: String::new() });
        check(|one| drop(one.forms.insert(language, form)))
    };
    assert_eq!(form("en", "arrival_en"), Ok(()));
    assert_eq!(form("en", "an arrival"), Err(BadArrival::Forms));
    assert_eq!(form("de", "arrival_de"), Err(BadArrival::Forms), "it has no words");
}

#[test]
fn words_that_are_a_form_are_known_with_what_stands_in_its_places() {
    let of = |words: &str, text: &str| {
        filled(words, text)
            .map(|places| places.into_iter().map(|(n, place)| format!("{n}={place}")).collect::<Vec<_>>())
    };
    let form = "Dear {customer}, until {until} it is yours.";
    assert_eq!(
        of(form, " Dear Ann, until Friday it is yours. "),
        Some(vec!["1=Ann".to_owned(), "2=Friday".to_owned()])
    );
    assert_eq!(of(form, "Dear Ann, until Friday it is yours!"), None);
    assert_eq!(of(form, "Dear , until Friday it is yours."), None, "a place has something in it");
    assert_eq!(of(form, "Dear Ann\nand Bo, until Friday it is yours."), None);
    assert_eq!(of("{customer}", "Ann"), Some(vec!["1=Ann".to_owned()]));
    assert_eq!(of("{customer}{agent}", "é"), None);
    assert_eq!(of("no place", "no place"), Some(Vec::new()));
    assert_eq!(of("no place", "no place at all"), None);
}

#[test]
fn the_words_are_in_the_language_of_the_customer_where_there_are_some() {
    let (en, nl, de): (Language, Language, Language) =
        ("en".parse().unwrap(), "nl".parse().unwrap(), "de".parse().unwrap());
    let of =
        |language, otherwise: &[Language]| arrival().words_for(language, otherwise).map(|(found, _)| found);
    assert_eq!(of(Some(nl), &[en]), Some(nl));
    assert_eq!(of(Some(de), &[de, nl]), Some(nl));
    assert_eq!(of(None, &[]), Some(en));
}

#[test]
fn it_suits_whose_contacts_carry_any_of_it() {
    let suits = Suits {
        tags: BTreeSet::from([token("coats")]),
        categories: BTreeSet::from([token("order")]),
        fields: BTreeMap::from([(token("size"), token("l"))]),
    };
    let none = (BTreeSet::new(), BTreeMap::new());
    let tagged = BTreeSet::from([token("coats"), token("vip")]);
    assert!(suits.suits(&tagged, None, &none.1));
    assert!(suits.suits(&none.0, Some(&token("order")), &none.1));
    let field = |value: &str| BTreeMap::from([(token("size"), token(value))]);
    assert!(suits.suits(&none.0, None, &field("l")));
    assert!(!suits.suits(&none.0, Some(&token("other")), &field("m")));
}

#[test]
fn nobody_is_written_to_first_where_they_would_not_hear_it() {
    let of = |channel, ago: u64| opening(channel, Millis(DAY_MS), Millis(DAY_MS + ago));
    for (channel, within, after) in [
        (ChannelKind::Sms, Opening::Free, Opening::Free),
        (ChannelKind::Telegram, Opening::Free, Opening::Free),
        (ChannelKind::Whatsapp, Opening::Free, Opening::Form),
        (ChannelKind::Messenger, Opening::Free, Opening::Closed),
        (ChannelKind::Instagram, Opening::Free, Opening::Closed),
        (ChannelKind::Web, Opening::Closed, Opening::Closed),
        (ChannelKind::Email, Opening::Closed, Opening::Closed),
        (ChannelKind::Api, Opening::Closed, Opening::Closed),
        (ChannelKind::Webhook, Opening::Closed, Opening::Closed),
    ] {
        assert_eq!((of(channel, DAY_MS - 1), of(channel, DAY_MS)), (within, after), "{channel}");
    }
}
