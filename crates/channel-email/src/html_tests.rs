use super::*;

fn cleaned(html: &str) -> String {
    let inline = [("logo@us".to_owned(), "/parts/1".to_owned())].into();
    clean(html, &CleanOptions { remote_images: RemoteImages::Aside, inline }).html
}

#[test]
fn attacks_come_to_nothing() {
    #[rustfmt::skip]
    let table = [
        ("<p>Hi <b>Ann</b></p>", "<p>Hi <b>Ann</b></p>"),
        ("<script>alert(1)</script>a", "a"),
        ("<style>*{display:none}</style><title>t</title>a", "a"),
        ("<img src=x onerror=alert(1)>", "<img>"),
        ("<a href=\"javascript:alert(1)\">x</a>", "<a target=\"_blank\" rel=\"noopener noreferrer nofollow\">x</a>"),
        ("<a href=\" java\tscript:alert(1)\">x</a>", "<a target=\"_blank\" rel=\"noopener noreferrer nofollow\">x</a>"),
        ("<a href=\"data:text/html,<script>1</script>\">x</a>", "<a rel=\"noopener noreferrer nofollow\" target=\"_blank\">x</a>"),
        ("<a href=\"cid:logo@us\">x</a>", "<a rel=\"noopener noreferrer nofollow\" target=\"_blank\">x</a>"),
        ("<a href=\"https://e.example/\" target=_top>x</a>", "<a href=\"https://e.example/\" target=\"_blank\" rel=\"noopener noreferrer nofollow\">x</a>"),
        ("<form action=//e.example><input name=p><button>Go</button></form>", "Go"),
        ("<iframe src=//e.example>x</iframe>a", "a"),
        ("<svg><script>1</script><text>x</text></svg>a", "a"),
        ("<math><mtext><style><img src=x onerror=1></style></mtext></math>a", "a"),
        ("<meta http-equiv=refresh content=\"0;url=//e.example\"><base href=//e.example>a", "a"),
        ("<div style=\"position:fixed;top:0;color:red\">x</div>", "<div style=\"color:red\">x</div>"),
        ("<div style=\"background:url(https://e.example/p)\">x</div>", "<div>x</div>"),
        ("<div style=\"background-color:u\\72l(x);color:red\">x</div>", "<div>x</div>"),
        ("<div style=\"width:expression(alert(1))\">x</div>", "<div>x</div>"),
        ("<div style=\"color:rgb(1,2,3);margin-left:-9999px\">x</div>", "<div style=\"color:rgb(1,2,3)\">x</div>"),
        ("<div style=\"color:/**/red\">x</div>", "<div>x</div>"),
        ("<img src=\"https://e.example/p.gif?u=1\" width=1>", "<img data-remote-src=\"https://e.example/p.gif?u=1\" width=\"1\">"),
        ("<img src=\"//e.example/p.gif\">", "<img>"),
        ("<img srcset=\"https://e.example/p.gif 2x\">", "<img>"),
        ("<table background=\"https://e.example/p.gif\"><tr><td>x</td></tr></table>", "<table><tbody><tr><td>x</td></tr></tbody></table>"),
        ("<img src=\"cid:logo@us\">", "<img src=\"/parts/1\">"),
        ("<img src=\"CID:logo%40us\">", "<img src=\"/parts/1\">"),
        ("<img src=\"cid:other\">", "<img>"),
        ("<img src=\"data:image/svg+xml;base64,AAAA\">", "<img>"),
        ("<img src=\"data:image/png;base64,AAAA\">", "<img src=\"data:image/png;base64,AAAA\">"),
        ("<p class=desk-button id=send onclick=1>x</p>", "<p>x</p>"),
        ("<!--[if mso]><p>x</p><![endif]-->a", "a"),
        ("</div></div></body><div>a", "<div>a</div>"),
        ("<noscript><p title=\"</noscript><img src=x onerror=1>\"></noscript>a", "<img>\"&gt;a"),
    ];
    let mut wrong = Vec::new();
    for (html, wanted) in table {
        let found = cleaned(html);
        if found != wanted {
            wrong.push(format!("{html}\n   is {found}\n  not {wanted}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn pictures_from_elsewhere_are_counted_or_shown() {
    let html = "<img src=\"http://a.example/1\"><img src=\"https://a.example/2\">";
    assert_eq!(clean(html, &CleanOptions::default()).images_aside, 2);
    let shown = CleanOptions { remote_images: RemoteImages::Shown, ..CleanOptions::default() };
    assert_eq!(clean(html, &shown), Cleaned { html: html.to_owned(), images_aside: 0 });
}

#[test]
fn history_is_cleaned_by_itself() {
    let html = "<div>New</div><div class=\"gmail_quote\"><div>On Mon, 3 May 2026 at 10:00, A &lt;a@b.example&gt; wrote:</div><script>1</script><blockquote>old</blockquote></div>";
    let (reply, quoted) = clean_folded(html, &CleanOptions::default());
    assert_eq!(reply.html, "<div>New</div>");
    assert!(quoted.html.contains("<blockquote>old</blockquote>") && !quoted.html.contains("script"));
}

#[test]
fn deep_nesting_does_no_harm() {
    let deep = "<div>".repeat(20_000);
    assert!(cleaned(&deep).len() < 1_000_000);
    assert_eq!(to_text(&format!("{deep}x")), "x");
}

#[test]
fn text_goes_to_html_and_back() {
    let text = "a < b & c > d\nnext";
    assert_eq!(from_text(text), "<div>a &lt; b &amp; c &gt; d<br>\nnext</div>");
    assert_eq!(to_text("<p>a</p><p>b &amp; c</p><style>x{}</style>").replace('\n', " ").trim(), "a  b & c");
}
