//! The reply subject of a delivered message, in which the server writes what it knows about it.

/// What the server says about one delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Delivery {
    /// Sequence in the stream.
    pub(crate) stream_seq: u64,
    /// Sequence in the consumer: without a hole, also where the stream has holes from deleted messages.
    pub(crate) consumer_seq: u64,
    /// When the server stored it, ms since the epoch.
    pub(crate) published_at_ms: u64,
    /// How many more the consumer has to deliver.
    pub(crate) pending: u64,
}

/// Reads `$JS.ACK.<stream>.<consumer>.<delivered>.<stream seq>.<consumer seq>.<ns>.<pending>`, and the newer form
/// with domain and account hash before the stream and perhaps more words at the end.
pub(crate) fn delivery(reply: &str) -> Option<Delivery> {
    let rest = reply.strip_prefix("$JS.ACK.")?;
    let words = rest.split('.').count();
    let skipped = match words {
        7 => 3,
        9.. => 5,
        _ => return None,
    };
    let mut numbers = rest.split('.').skip(skipped).map(str::parse::<u64>);
    let mut number = || numbers.next()?.ok();
    Some(Delivery {
        stream_seq: number()?,
        consumer_seq: number()?,
        published_at_ms: number()? / 1_000_000,
        pending: number()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_are_read() {
        let expected =
            Delivery { stream_seq: 50, consumer_seq: 9, published_at_ms: 1_790_230_470_084, pending: 3 };
        for reply in [
            "$JS.ACK.events.tail.2.50.9.1790230470084404000.3",
            "$JS.ACK._.szMpdrwD.events.tail.2.50.9.1790230470084404000.3",
            "$JS.ACK.hub.szMpdrwD.events.tail.2.50.9.1790230470084404000.3.rand.future",
        ] {
            assert_eq!(delivery(reply), Some(expected), "{reply}");
        }
    }

    #[test]
    fn anything_else_is_not_a_delivery() {
        for reply in
            ["", "_INBOX.x", "$JS.ACK.a.b.1.2.3.4", "$JS.ACK.a.b.c.d.1.2.3.4", "$JS.ACK.a.b.1.x.3.4.5"]
        {
            assert_eq!(delivery(reply), None, "{reply}");
        }
    }
}
