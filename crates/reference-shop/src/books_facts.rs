//! What the shop knows of its customers' orders, as facts.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension as _};
use serde_json::Value;

use crate::books::{Books, BooksError, now_ms};
use crate::contract::{About, FactsAnswer};

const DAY_MS: i64 = 24 * 3_600_000;

/// An order that a customer placed with the shop.
#[derive(Clone, Debug)]
pub(crate) struct Sale {
    pub(crate) sale: String,
    pub(crate) customer: String,
    pub(crate) what: String,
    pub(crate) paid_cents: i64,
    pub(crate) currency: String,
    pub(crate) placed_at: i64,
    pub(crate) promised_at: i64,
    pub(crate) sent_at: Option<i64>,
    pub(crate) delivered_at: Option<i64>,
    pub(crate) recalled: bool,
    /// What was refunded on it.
    pub(crate) returned_cents: i64,
}

impl Sale {
    pub(crate) fn status(&self) -> &'static str {
        match (self.delivered_at, self.sent_at) {
            (Some(_), _) if self.returned_cents >= self.paid_cents => "returned",
            (Some(_), _) => "delivered",
            (None, Some(_)) => "sent",
            (None, None) => "placed",
        }
    }

    /// Whole days after the promised time: of the delivery, or until now while it is on its way.
    pub(crate) fn days_late(&self, now: i64) -> i64 {
        let came = self.delivered_at.unwrap_or(now);
        (came - self.promised_at).max(0).div_euclid(DAY_MS)
    }
}

impl Books {
    /// What is known of the named facts; `None`: the shop knows no such order or customer.
    pub(crate) fn facts(&self, about: &About, names: &[String]) -> Result<Option<FactsAnswer>, BooksError> {
        let connection = self.lock();
        let now = now_ms();
        let mut all: BTreeMap<String, Value> = BTreeMap::new();
        let customer = match about {
            About::Order(sale) => match sale_of(&connection, sale)? {
                Some(sale) => {
                    order_facts(&sale, now, &mut all);
                    Some(sale.customer)
                }
                None => None,
            },
            About::Identity(identity) => connection
                .query_row("SELECT customer FROM identities WHERE identity = ?1", [identity], |row| {
                    row.get(0)
                })
                .optional()?,
        };
        let Some(customer) = customer else { return Ok(None) };
        customer_facts(&connection, &customer, now, &mut all)?;
        all.retain(|name, _| names.contains(name));
        Ok(Some(FactsAnswer { at: now.cast_unsigned(), facts: all }))
    }

    /// Says whose identity this is; gives whether there is such a customer.
    pub(crate) fn link(&self, identity: &str, customer: &str) -> Result<bool, BooksError> {
        let linked = self.lock().execute(
            "INSERT INTO identities (identity, customer) SELECT ?1, customer FROM customers WHERE customer = ?2 \
             ON CONFLICT (identity) DO UPDATE SET customer = excluded.customer",
            [identity, customer],
        )?;
        Ok(linked > 0)
    }

    /// Every sale, oldest number first.
    pub(crate) fn sales(&self) -> Result<Vec<Sale>, BooksError> {
        let connection = self.lock();
        let mut statement = connection.prepare(&format!("{SALES} ORDER BY sale"))?;
        let rows = statement.query_map([], sale)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

const SALES: &str = "SELECT sale, customer, what, paid_cents, currency, placed_at, promised_at, sent_at, \
                     delivered_at, recalled, (SELECT coalesce(sum(cents), 0) FROM taken WHERE about = sale AND \
                     kind = 'refund') FROM sales";

fn sale(row: &rusqlite::Row<'_>) -> Result<Sale, rusqlite::Error> {
    Ok(Sale {
        sale: row.get(0)?,
        customer: row.get(1)?,
        what: row.get(2)?,
        paid_cents: row.get(3)?,
        currency: row.get(4)?,
        placed_at: row.get(5)?,
        promised_at: row.get(6)?,
        sent_at: row.get(7)?,
        delivered_at: row.get(8)?,
        recalled: row.get(9)?,
        returned_cents: row.get(10)?,
    })
}

fn sale_of(connection: &Connection, number: &str) -> Result<Option<Sale>, rusqlite::Error> {
    connection.query_row(&format!("{SALES} WHERE sale = ?1"), [number], sale).optional()
}

fn order_facts(sale: &Sale, now: i64, into: &mut BTreeMap<String, Value>) {
    let facts = [
        ("order.status", Value::from(sale.status())),
        ("order.delivered", Value::from(sale.delivered_at.is_some())),
        ("order.days_late", Value::from(sale.days_late(now))),
        ("order.recalled", Value::from(sale.recalled)),
        ("order.paid_cents", Value::from(sale.paid_cents)),
    ];
    into.extend(facts.map(|(name, value)| (name.to_owned(), value)));
}

fn customer_facts(
    connection: &Connection,
    customer: &str,
    now: i64,
    into: &mut BTreeMap<String, Value>,
) -> Result<(), rusqlite::Error> {
    let tier = "SELECT tier FROM customers WHERE customer = ?1";
    let tier: String = connection.query_row(tier, [customer], |row| row.get(0))?;
    let mut statement = connection.prepare(&format!("{SALES} WHERE customer = ?1"))?;
    let sales: Vec<Sale> = statement.query_map([customer], sale)?.collect::<Result<_, _>>()?;
    let since = |days: i64| sales.iter().filter(move |sale| sale.placed_at >= now - days * DAY_MS);
    let failures = since(90).filter(|sale| sale.days_late(now) > 0 || sale.recalled).count();
    let facts = [
        ("customer.tier", Value::from(tier)),
        ("customer.orders_last_year", Value::from(since(365).count())),
        ("customer.failures_90d", Value::from(failures)),
    ];
    into.extend(facts.map(|(name, value)| (name.to_owned(), value)));
    Ok(())
}
