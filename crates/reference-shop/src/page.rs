//! The page on which people see what the shop has done. It is open, so it shows no code in full and nobody's words.

use axum::http::header;
use axum::response::{Html, IntoResponse};
use rusqlite::params;

use crate::books::{Books, BooksError, now_ms};
use crate::books_facts::Sale;

/// The newest orders that the page shows.
const SHOWN_MAX: i64 = 200;
/// Nothing but what stands in the page itself.
const CONTENT_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'";

const HEAD: &str = "<!doctype html>
<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">
<title>The reference shop</title><style>
body { font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; color: #222 }
table { border-collapse: collapse; width: 100%; margin-bottom: 2rem }
th, td { text-align: left; padding: .35rem .6rem; border-bottom: 1px solid #ddd }
td.sum { text-align: right; font-variant-numeric: tabular-nums }
code { font-size: 1rem }
.empty { color: #666 }
</style></head><body>
<h1>The reference shop</h1>
<p>What customers bought here, and what agents have given them.</p>
";

/// Something the shop did, as the page shows it.
pub(crate) struct Line {
    id: String,
    kind: String,
    cents: Option<i64>,
    currency: Option<String>,
    about: String,
    reason: String,
    status: String,
    reference: Option<String>,
}

impl Books {
    /// The newest things done, newest first.
    pub(crate) fn latest(&self) -> Result<Vec<Line>, BooksError> {
        let connection = self.lock();
        let mut statement = connection.prepare(
            "SELECT id, kind, cents, currency, about, reason, status, reference FROM taken ORDER BY n DESC LIMIT ?1",
        )?;
        let rows = statement.query_map(params![SHOWN_MAX], |row| {
            Ok(Line {
                id: row.get(0)?,
                kind: row.get(1)?,
                cents: row.get(2)?,
                currency: row.get(3)?,
                about: row.get(4)?,
                reason: row.get(5)?,
                status: row.get(6)?,
                reference: row.get(7)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

pub(crate) fn page(sales: &[Sale], latest: &[Line]) -> impl IntoResponse {
    let mut html = HEAD.to_owned();
    let of = |kind: &str| latest.iter().filter(|line| line.kind == kind).collect::<Vec<_>>();
    table(&mut html, "Refunds", &of("refund"));
    table(&mut html, "Vouchers", &of("voucher"));
    let others = latest.iter().filter(|line| line.kind != "refund" && line.kind != "voucher");
    table(&mut html, "Replacements, repairs, services, gestures", &others.collect::<Vec<_>>());
    sold(&mut html, sales);
    html.push_str("</body></html>\n");
    ([(header::CONTENT_SECURITY_POLICY, CONTENT_POLICY), (header::CACHE_CONTROL, "no-store")], Html(html))
}

fn table(html: &mut String, title: &str, lines: &[&Line]) {
    let title = escape(title);
    if lines.is_empty() {
        html.push_str(&format!("<h2>{title}</h2><p class=\"empty\">None yet.</p>\n"));
        return;
    }
    let columns = "<th>Asked as</th><th>For</th><th>Because</th><th>Code</th><th>Status</th><th>Amount</th>";
    html.push_str(&format!("<h2>{title}</h2><table><tr>{columns}</tr>\n"));
    for line in lines {
        let amount = match (line.cents, &line.currency) {
            (Some(cents), Some(currency)) => amount(cents, currency),
            (Some(_) | None, Some(_) | None) => String::new(),
        };
        let (id, about, reason) = (escape(&line.id), escape(&line.about), escape(&line.reason));
        let code = escape(&shown(line.reference.as_deref().unwrap_or_default()));
        let (status, amount) = (escape(&line.status), escape(&amount));
        html.push_str(&format!(
            "<tr data-id=\"{id}\"><td>{id}</td><td>{about}</td><td>{reason}</td><td><code>{code}</code></td>\
                 <td>{status}</td><td class=\"sum\">{amount}</td></tr>\n"
        ));
    }
    html.push_str("</table>\n");
}

fn sold(html: &mut String, sales: &[Sale]) {
    let columns =
        "<th>Order</th><th>Customer</th><th>What</th><th>Where it is</th><th>Days late</th><th>Paid</th>";
    html.push_str(&format!("<h2>Orders</h2><table><tr>{columns}</tr>\n"));
    let now = now_ms();
    for sale in sales {
        let (number, customer, what) = (escape(&sale.sale), escape(&sale.customer), escape(&sale.what));
        let recalled = if sale.recalled { ", recalled" } else { "" };
        let (status, late) = (escape(sale.status()), sale.days_late(now));
        let paid = escape(&amount(sale.paid_cents, &sale.currency));
        html.push_str(&format!(
            "<tr><td>{number}</td><td>{customer}</td><td>{what}</td><td>{status}{recalled}</td>\
                 <td>{late}</td><td class=\"sum\">{paid}</td></tr>\n"
        ));
    }
    html.push_str("</table>\n");
}

fn amount(cents: i64, currency: &str) -> String {
    format!("{currency} {}.{:02}", cents / 100, cents.rem_euclid(100))
}

/// The first group of a code: enough to recognise it, too little to spend it.
fn shown(code: &str) -> String {
    let mut groups = code.split('-');
    match (groups.next(), groups.next(), groups.next()) {
        (Some(shop), Some(first), Some(_)) => format!("{shop}-{first}-\u{2026}"),
        _ => code.to_owned(),
    }
}

fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_is_shown_can_be_markup() {
        assert_eq!(escape("<a href='x'>\"&\""), "&lt;a href=&#39;x&#39;&gt;&quot;&amp;&quot;");
    }

    #[test]
    fn a_code_is_shown_in_part() {
        assert_eq!(shown("WT-7K3Q-X4RT-9CDB"), "WT-7K3Q-\u{2026}");
        assert_eq!(shown(""), "");
    }
}
