use super::*;
use proptest::prelude::*;

fn of(text: &str) -> String {
    MaskKinds::default().text(text).text
}

fn with_check(mut digits: Vec<u8>) -> String {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(n, digit)| {
            let doubled = u32::from(*digit) * if n % 2 == 0 { 2 } else { 1 };
            if doubled > 9 { doubled - 9 } else { doubled }
        })
        .sum();
    digits.push(u8::try_from((10 - sum % 10) % 10).unwrap());
    digits.iter().map(|digit| char::from(b'0' + digit)).collect()
}

#[test]
fn cards_go_and_their_last_four_digits_stay() {
    for (text, expected) in [
        ("my card 4111 1111 1111 1111 was charged", "my card •••• 1111 (card number removed) was charged"),
        ("4111111111111111", "•••• 1111 (card number removed)"),
        ("5555-5555-5555-4444.", "•••• 4444 (card number removed)."),
        ("3782 822463 10005", "•••• 0005 (card number removed)"),
        ("3056 930902 5904", "•••• 5904 (card number removed)"),
        (
            "6011 1111 1111 1117 and 2223003122003222",
            "•••• 1117 (card number removed) and •••• 3222 (card number removed)",
        ),
        ("4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1", "•••• 1111 (card number removed)"),
        ("4111\u{a0}1111\u{2011}1111\u{200b}1111", "•••• 1111 (card number removed)"),
        ("4111 1111\n1111 1111", "•••• 1111 (card number removed)"),
        ("٤١١١ ١١١١ ١١١١ ١١١١", "•••• 1111 (card number removed)"),
        ("４１１１１１１１１１１１１１１１", "•••• 1111 (card number removed)"),
        ("id 12 4111 1111 1111 1111", "id 12 •••• 1111 (card number removed)"),
        ("CVV: 123 exp 12/27", "CVV: (security code removed) exp 12/27"),
        ("cvc is 1234", "cvc is (security code removed)"),
    ] {
        assert_eq!(of(text), expected, "{text}");
        assert_eq!(of(expected), expected, "twice is once");
    }
}

#[test]
fn what_is_no_card_stays() {
    for text in [
        "4111 1111 1111 1112",
        "order 1111111111111117",
        "3SABCD1234567890",
        "JVGL 0123 4567 8901 2345",
        "1Z 999 AA1 01 2345 6784",
        "9400 1000 0000 0000 0000 00",
        "orders 40012344 40012345",
        "+31 6 5550 1447 2024 11 29",
        "call +4111111111111111",
        "2026-11-29 12:30:45",
        "4111 1111, 1111 1111",
        "00000000-0000-0000-0000-000000000000",
        "the bank has 5 cards and 12345 words, 1,234,567.89 euros",
        "my cvv was wrong",
        "0000000000000000",
    ] {
        assert_eq!(of(text), text);
    }
}

#[test]
fn secrets_go_where_they_are_called_so_or_known_by_their_beginning() {
    for (text, expected) in [
        ("Password: hunter2", "Password: (password removed)"),
        ("my password is Tr0ub4dor&3, help", "my password is (password removed), help"),
        ("wachtwoord = geheim", "wachtwoord = (password removed)"),
        ("{\"password\": \"correct horse\"}", "{\"password\": \"(password removed)\"}"),
        ("DB_PASSWORD=swordfish", "DB_PASSWORD=(password removed)"),
        ("Passwort: geheim", "Passwort: (password removed)"),
        ("api_key: abcd1234", "api_key: (key removed)"),
        ("PIN: 1234", "PIN: (code removed)"),
        ("my pin is 123456", "my pin is (code removed)"),
        ("use sk_live_abcdefghijklmnop1234 please", "use (key removed) please"),
        ("AKIAIOSFODNN7EXAMPLE", "(key removed)"),
        ("4111111111111111sk_live_abcdefghijklmnop1234", "•••• 1111 (card number removed)(key removed)"),
        ("Authorization: Bearer abcdefghijklmnop.qrst", "Authorization: Bearer (key removed)"),
        ("https://ann:hunter2@shop.test/x", "https://ann:(password removed)@shop.test/x"),
        (
            "see\n-----BEGIN RSA PRIVATE KEY-----\nMIIE\nabc=\n-----END RSA PRIVATE KEY-----\nthanks",
            "see\n(private key removed)\nthanks",
        ),
    ] {
        assert_eq!(of(text), expected, "{text}");
        assert_eq!(of(expected), expected, "twice is once");
    }
}

#[test]
fn what_only_speaks_of_secrets_stays() {
    for text in [
        "Password: how do I change it?",
        "my password is wrong",
        "I forgot my password. It is 2026 and I cannot log in",
        "is my PIN blocked? pin: no idea",
        "the pin is 12 months old",
        "secretary: Ann",
        "sk-foo",
        "token ring networks",
        "http://shop.test:8080/x",
        "-----BEGIN CERTIFICATE-----\nabc\n-----END CERTIFICATE-----",
    ] {
        assert_eq!(of(text), text);
    }
}

#[test]
fn accounts_of_banks_go_only_where_that_is_asked_for() {
    let text = "pay to NL91 ABNA 0417 1643 00 please";
    assert_eq!(of(text), text);
    let asked = MaskKinds::of([MaskKind::Ibans]);
    assert_eq!(asked.text(text).text, "pay to •••• 4300 (account number removed) please");
    let words = "Is it possible to verify a top up?";
    assert_eq!(asked.text(words).text, words, "what begins like a country is no account yet");
    for no in ["NL91 ABNA 0417 1643 01", "NL91ABNA041716430", "XX91ABNA0417164300"] {
        assert_eq!(asked.text(no).text, no);
    }
    assert_eq!(MaskKinds::of([]).text("4111111111111111").text, "4111111111111111");
}

#[test]
fn html_is_masked_as_it_is_seen() {
    for (html, expected) in [
        ("<p>card 4111 <b>1111</b>&nbsp;1111 1111</p>", "<p>card •••• 1111 (card number removed)<b></b></p>"),
        ("<p>password:&#32;hunter2</p>", "<p>password:&#32;(password removed)</p>"),
        ("<td>4111</td><td>11</td>", "<td>4111</td><td>11</td>"),
        ("<a href=\"https://x.test/4111111111111111\">here</a>", "<a>here</a>"),
        ("a &lt; b &amp; c &unknown; d", "a &lt; b &amp; c &unknown; d"),
        ("<", "<"),
        ("&", "&"),
    ] {
        assert_eq!(MaskKinds::default().html(html).text, expected, "{html}");
    }
    assert_eq!(MaskKinds::default().html("<p>4111 1111 1111 1111</p>").kinds(), [MaskKind::Cards]);
}

#[test]
fn the_new_part_of_a_mail_ends_where_it_ended() {
    let mut content = Content::words("4111 1111 1111 1111 thanks\n> quoted 4111111111111111");
    let head = crate::content::MailHead {
        new_bytes: Some("4111 1111 1111 1111 thanks\n".len()),
        subject: "card 5555555555554444".to_owned(),
        ..Default::default()
    };
    content.mail = Some(Box::new(head));
    assert_eq!(MaskKinds::default().content(&mut content), vec![MaskKind::Cards; 3]);
    let head = content.mail.unwrap();
    let new = content.text.get(..head.new_bytes.unwrap()).unwrap();
    assert_eq!(new, "•••• 1111 (card number removed) thanks\n");
    assert_eq!(head.subject, "card •••• 4444 (card number removed)");
}

#[test]
fn digits_of_all_scripts_are_digits() {
    assert_eq!(digit('7'), Some(7));
    assert_eq!(digit('۷'), Some(7));
    assert_eq!(digit('७'), Some(7));
    assert_eq!(digit('𝟗'), Some(9));
    assert_eq!((digit('a'), digit('½'), digit('\u{66a}'), digit('é')), (None, None, None, None));
}

proptest! {
    #[test]
    fn no_card_stays_whatever_stands_around_it(
        beginning in prop::sample::select(vec!["4", "51", "2221", "65", "62", "3528"]),
        rest in prop::collection::vec(0_u8..10, 15),
        between in prop::sample::select(vec!["", " ", "-", "\u{a0}", " - ", ".", "\u{2013}"]),
        before in "[a-zA-Z ,é(]{0,20}[a-z(]",
        after in "[a-z)][a-zA-Z ,é)]{0,20}",
        script in prop::sample::select(ZEROS.to_vec()),
        is_foreign: bool,
    ) {
        let mut digits: Vec<u8> = beginning.bytes().map(|byte| byte - b'0').collect();
        digits.extend(rest.iter().take(15 - digits.len()));
        let number = with_check(digits);
        let shown: String = number.chars().map(|digit| {
            let value = digit.to_digit(10).unwrap();
            if is_foreign { char::from_u32(script + value).unwrap() } else { digit }
        }).collect();
        let shown: Vec<char> = shown.chars().collect();
        let groups: Vec<String> = shown.chunks(4).map(|group| group.iter().collect()).collect();
        let text = format!("{before}{}{after}", groups.join(between));
        let masked = of(&text);
        let expected = format!("•••• {} (card number removed)", number.get(12..).unwrap());
        prop_assert!(masked.contains(&expected), "{text}: {masked}");
        let digits_left = masked.chars().filter(|one| digit(*one).is_some()).count();
        prop_assert_eq!(digits_left, 4);
        prop_assert_eq!(of(&masked), masked);
    }

    #[test]
    fn nothing_breaks_it_and_twice_is_once(text in any::<String>(), html in "(<[a-z/]{0,4}>?|&[a-z#0-9]{0,5};?|[0-9 a-z:=\"•(]){0,60}") {
        let all = MaskKinds::of([MaskKind::Cards, MaskKind::Secrets, MaskKind::Ibans]);
        let once = all.text(&text);
        prop_assert_eq!(&all.text(&once.text).text, &once.text);
        prop_assert_eq!(once.moved(text.len()), once.text.len());
        let once = all.html(&html).text;
        prop_assert_eq!(&all.html(&once).text, &once);
    }

    #[test]
    fn words_without_digits_and_labels_stay(text in "[b-oq-zA-OQ-Z ,.!?\n]{0,200}") {
        prop_assert_eq!(of(&text), text);
    }
}
