//! The demo's customers and orders, dated from the day the books are opened.

use rusqlite::{Transaction, params};

const DAY_MS: i64 = 24 * 3_600_000;

/// Number, customer, what, cents; days ago that it was placed and promised for (negative: still to come), sent, delivered; recalled.
type Row = (&'static str, &'static str, &'static str, i64, i64, i64, Option<i64>, Option<i64>, bool);

const CUSTOMERS: [(&str, &str); 6] = [
    ("C-1", "gold"),
    ("C-2", "regular"),
    ("C-3", "regular"),
    ("C-4", "regular"),
    ("C-5", "new"),
    ("C-6", "regular"),
];

const SALES: [Row; 16] = [
    ("A-1001", "C-2", "dress, green silk", 40_000, 24, 20, Some(22), Some(20), false),
    ("A-1002", "C-3", "winter coat", 18_900, 16, 10, Some(9), Some(6), false),
    ("A-1003", "C-3", "kettle", 8_000, 40, 37, Some(39), Some(37), false),
    ("A-1004", "C-4", "electric heater", 4_000, 30, 27, Some(29), Some(27), true),
    ("A-1005", "C-5", "walking boots", 12_000, 8, 2, Some(3), None, false),
    ("A-1006", "C-1", "scarf", 3_500, 0, -3, None, None, false),
    ("A-1007", "C-1", "raincoat", 9_900, 31, 28, Some(30), Some(28), false),
    ("A-1008", "C-1", "gloves", 2_500, 62, 59, Some(61), Some(59), false),
    ("A-1009", "C-1", "lamp", 6_500, 95, 92, Some(94), Some(92), false),
    ("A-1010", "C-1", "blanket", 7_000, 140, 137, Some(139), Some(137), false),
    ("A-1011", "C-1", "shoes", 11_000, 200, 197, Some(199), Some(197), false),
    ("A-1012", "C-1", "bag", 15_000, 260, 257, Some(259), Some(257), false),
    ("A-1013", "C-1", "hat", 4_500, 320, 317, Some(319), Some(317), false),
    ("A-1014", "C-6", "desk", 24_000, 70, 64, Some(63), Some(60), false),
    ("A-1015", "C-6", "chair", 13_000, 35, 30, Some(28), Some(25), false),
    ("A-1016", "C-6", "bookcase", 19_500, 12, 6, Some(5), None, false),
];

pub(crate) fn fill(tx: &Transaction<'_>, now: i64) -> Result<(), rusqlite::Error> {
    let mut customers = tx.prepare("INSERT INTO customers (customer, tier) VALUES (?1, ?2)")?;
    for (customer, tier) in CUSTOMERS {
        customers.execute([customer, tier])?;
    }
    let mut sales = tx.prepare(
        "INSERT INTO sales (sale, customer, what, paid_cents, currency, placed_at, promised_at, sent_at, \
         delivered_at, recalled) VALUES (?1, ?2, ?3, ?4, 'EUR', ?5, ?6, ?7, ?8, ?9)",
    )?;
    let ago = |days: i64| now - days * DAY_MS;
    for (sale, customer, what, paid, placed, promised, sent, delivered, recalled) in SALES {
        let (sent, delivered) = (sent.map(ago), delivered.map(ago));
        let values =
            params![sale, customer, what, paid, ago(placed), ago(promised), sent, delivered, recalled];
        sales.execute(values)?;
    }
    Ok(())
}
