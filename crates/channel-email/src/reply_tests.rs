use super::*;

fn parts(reply: &str, signature: &str, quoted: &str) -> ReplyParts {
    ReplyParts { reply: reply.into(), signature: signature.into(), quoted: quoted.into() }
}

#[test]
fn leads_of_many_languages_are_known() {
    let leads = [
        "On Mon, 3 May 2026 at 10:00, Ann <ann@example.com> wrote:",
        "On Mon, 3 May 2026 at 10:00, Ann Example\n<ann@example.com> wrote:",
        "Am 03.05.2026 um 10:00 schrieb Ann Example:",
        "Am Montag, 3. Mai 2026, 10:00:12 MESZ hat Ann <ann@example.com> Folgendes geschrieben:",
        "Le lun. 3 mai 2026 à 10:00, Ann <ann@example.com> a écrit :",
        "Op ma 3 mei 2026 om 10:00 schreef Ann <ann@example.com>:",
        "El lun, 3 may 2026 a las 10:00, Ann (<ann@example.com>) escribió:",
        "Il giorno lun 3 mag 2026 alle ore 10:00 Ann <ann@example.com> ha scritto:",
        "Em seg., 3 de mai. de 2026 às 10:00, Ann <ann@example.com> escreveu:",
        "Den mån 3 maj 2026 kl 10:00 skrev Ann <ann@example.com>:",
        "pon., 3 maj 2026 o 10:00 Ann <ann@example.com> napisał(a):",
        "пн, 3 мая 2026 г. в 10:00, Ann <ann@example.com>:",
        "3 мая 2026 г., в 10:00, Ann <ann@example.com> написал(а):",
        "Ann <ann@example.com>, 3 May 2026 Pzt, 10:00 tarihinde şunu yazdı:",
        "Ann <ann@example.com> schrieb am Mo., 3. Mai 2026, 10:00:",
        "2026-05-03 10:00 GMT+02:00 Ann <ann@example.com>:",
        "-----Original Message-----",
        "------On 05/03/2026 10:00 AM, Ann Example wrote-----",
        "On May 3, 2026, at 10:00 AM, Somebody <\n0123456789abcdef0123456789@some.example.com>wrote:",
        "Sent from Samsung Mobile Ann <ann@example.com> wrote:",
        "Op 3-mei-2026, om 10:00 heeft Ann <ann@example.com> het volgende geschreven:",
        "Le 3 mai 2026 à 10:00, Ann <ann@example.com<mailto:ann@example.com>> a écrit:",
        "Date: Mon, 4 May 2026 00:15:02 -0600\nTo: ann@example.com",
        "Fra: ann@example.com\nSendt: 3. maj 2026 12:10\nTil: Support\nEmne: Ordre",
        "-----Ursprüngliche Nachricht-----",
        "From: Ann <ann@example.com>\nSent: Monday, May 3, 2026 10:00\nTo: Support\nSubject: Order",
        "________________________________\nVon: Ann <ann@example.com>\nGesendet: Montag, 3. Mai 2026 10:00\nAn: Support\nBetreff: Order",
        "*De :* Ann <ann@example.com>\n*Envoyé :* lundi 3 mai 2026 10:00\n*À :* Support\n*Objet :* Order",
        "Van: Ann\nVerzonden: maandag 3 mei 2026 10:00\nAan: Support\nOnderwerp: Order",
        "De: Ann\nEnviado el: lunes, 3 de mayo de 2026 10:00\nPara: Support\nAsunto: Order",
        "发件人: Ann\n发送时间: 2026年5月3日 10:00\n收件人: Support\n主题: Order",
    ];
    let mut wrong = Vec::new();
    for lead in leads {
        let text = format!("Yes please\n\n{lead}\n\nold words\nmore");
        let wanted = parts("Yes please", "", &format!("{lead}\n\nold words\nmore"));
        let found = split(&text);
        if found != wanted {
            wrong.push(format!("{lead}: {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn words_that_look_like_leads_stay() {
    let texts = [
        "On Monday I wrote to you, and on Tuesday again.\nNothing came.",
        "Please note:\nFrom: Berlin\nis where I live",
        "Am Montag habe ich bestellt:\n3 Lampen",
        "I wrote:\nmy order 123 is late",
        "Date: 3 May\nTime: 10:00",
        "FYI\n\n---------- Forwarded message ----------\nFrom: bob@example.com\nDate: 3 May 2026\nSubject: x\n\nText",
        ">>> see here <<<\nfor more",
        "> one quoted line\nand an answer",
    ];
    for text in texts {
        assert_eq!(split(text).quoted, "", "{text}");
    }
}

#[test]
fn answers_around_history_are_kept() {
    let lead = "On 3 May 2026 at 10:00, Ann <a@b.example> wrote:";
    let below = split(&format!("{lead}\n> old\n> older\n\nMy answer"));
    assert_eq!(below, parts("My answer", "", &format!("{lead}\n> old\n> older")));
    let around = split(&format!("Hi\n\n{lead}\n> old\n\nBye"));
    assert_eq!(around.reply.replace("\n", ""), "HiBye");
    let undated = split("ok\n2026/5/3 Ann \u{00d0}va <ann@example.com>\n\n>  old");
    assert_eq!((undated.reply.as_str(), undated.quoted.ends_with("old")), ("ok", true));
    let nested = split(&format!("Hi\n{lead}\n\n>Test\n>{lead}\n>\n>>\n>> Older.\n\nRegards,\nBob"));
    assert_eq!(nested.reply.replace('\n', " "), "Hi  Regards, Bob");
    let between = format!("{lead}\n> Which size?\nLarge\n> Which colour?\nRed");
    assert_eq!(split(&between), parts(&between, "", ""), "piece by piece");
    let nothing_new = format!("{lead}\n> old");
    assert_eq!(split(&nothing_new).reply, nothing_new, "no mail looks empty");
}

#[test]
fn signatures_are_set_apart() {
    let table = [
        ("Hi\n-- \nAnn\nTel. 1", parts("Hi", "-- \nAnn\nTel. 1", "")),
        ("Hi\n\nSent from my iPhone", parts("Hi", "Sent from my iPhone", "")),
        ("Hallo\n\nVon meinem iPhone gesendet", parts("Hallo", "Von meinem iPhone gesendet", "")),
        (
            "Hi\n\nGet Outlook for iOS<https://aka.ms/o0ukef>",
            parts("Hi", "Get Outlook for iOS<https://aka.ms/o0ukef>", ""),
        ),
        ("-- \nAnn", parts("-- \nAnn", "", "")),
        ("It was\n--\nnever mind", parts("It was", "--\nnever mind", "")),
    ];
    for (text, wanted) in table {
        assert_eq!(split(text), wanted, "{text}");
    }
}

#[test]
fn html_is_folded_at_the_marks_of_programs() {
    let table = [
        "<div class=\"gmail_quote gmail_quote_container\">old</div>",
        "<div id=\"appendonsend\"></div><hr>old",
        "<hr id=\"stopSpelling\">old",
        "<div id=\"divRplyFwdMsg\" dir=\"ltr\">old</div>",
        "<div class=\"yahoo_quoted\" id=1>old</div>",
        "<div class=\"moz-cite-prefix\">Am 3.5.2026 schrieb Ann:</div><blockquote>old</blockquote>",
        "<blockquote type=cite>old</blockquote>",
        "<div><b>Von:</b> Ann &lt;a@b.example&gt;<br><b>Gesendet:</b> Montag<br><b>An:</b> Support</div>old",
        "<div style='border:none;border-top:solid #E1E1E1 1.0pt'>old</div>",
    ];
    for quote in table {
        let fold = fold_html(&format!("<p>New</p>{quote}"));
        assert_eq!((fold.reply.as_str(), fold.quoted.as_str()), ("<p>New</p>", quote), "{quote}");
    }
    let passed_on =
        "<br><div class=\"gmail_quote\">---------- Forwarded message ----------<br>From: Bob</div>";
    for whole in
        [passed_on, "<p>New</p>", "<blockquote>only this</blockquote>", "", "<", "<div class=\"gmail_quote"]
    {
        assert_eq!(fold_html(whole), Fold { reply: whole.to_owned(), quoted: String::new() });
    }
}
