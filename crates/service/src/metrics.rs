//! What a process counts. Every name of a metric stands here and nowhere else.

mod family;

use std::sync::Arc;

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

pub use family::{Counters, FloatGauge, Gauges, Labels, OTHER, VALUES_MAX};

/// The content type of [`Metrics::encode`].
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Upper bounds in seconds: what people wait for.
const OFFER_SECONDS: [f64; 16] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0, 1800.0];

/// Upper bounds in seconds: what a disk and a network take.
const APPEND_SECONDS: [f64; 14] =
    [0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0];

/// Upper bounds in seconds: what a desk waits for, up to what is promised.
const TILL_SECONDS: [f64; 12] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0];

/// All counts of a process, as plain fields; clones count into the same place. Names carry the prefix `winterband_`.
#[derive(Clone, Debug)]
pub struct Metrics {
    /// Customers' messages taken in, after the acknowledgement; labels: channel.
    pub messages_received_total: Counters<1>,
    /// Messages a provider or a socket took; labels: channel.
    pub messages_sent_total: Counters<1>,
    /// Inputs parked for a person; labels: channel, reason.
    pub parked_total: Counters<2>,
    /// Inputs whose sender was told no; labels: channel, reason.
    pub refused_total: Counters<2>,
    /// Places in words from which a card number or a secret was taken out; labels: channel, kind.
    pub masked_total: Counters<2>,
    /// Keys destroyed because what they sealed was too old; labels: class.
    pub retention_keys_total: Counters<1>,
    /// Inputs that had been consumed before; labels: channel.
    pub duplicates_total: Counters<1>,
    /// Repeated attempts to store what came in, or to send; labels: channel.
    pub retried_total: Counters<1>,
    /// Agents' and systems' commands; labels: outcome.
    pub commands_total: Counters<1>,
    /// Contacts without an agent; labels: queue.
    pub contacts_waiting: Gauges<1>,
    /// Contacts that agents work on; labels: queue.
    pub contacts_with_agents: Gauges<1>,
    /// Contacts that wait for longer than the `wait_bound` of their queue, while it is open; labels: queue.
    pub contacts_waiting_late: Gauges<1>,
    /// Customers of whom it is known whether the wait came true that they were told, since this process had read the log; labels: queue, said (p50, p90).
    pub waits_told_total: Counters<2>,
    /// Those of them who were served within it; labels: queue, said (p50, p90).
    pub waits_kept_total: Counters<2>,
    /// Records between the log's end and what a role has applied; labels: role.
    pub log_lag_records: Gauges<1>,
    /// 1 for the state that an account of a channel is in, 0 for the others; labels: channel, account, state.
    pub channel_account_state: Gauges<3>,
    /// Messages that wait to be sent; labels: channel, account.
    pub channel_waiting: Gauges<2>,
    /// What became of messages to customers, each step once; labels: channel, state.
    pub deliveries_total: Counters<2>,
    /// Entries with words on their way into the search's index; labels: end (indexed, erased, unreadable, forgotten).
    pub search_entries_total: Counters<1>,
    /// Open sockets; labels: kind.
    pub sockets_open: Gauges<1>,
    /// What does not balance in the ledger, at the last look.
    pub ledger_faults: Gauge,
    /// 1 for each of the first faults that stand in the ledger, in words with its records, 0 for one that is gone; labels: fault.
    pub ledger_fault: Gauges<1>,
    /// When the ledger was looked at last, seconds since 1970; 0 before.
    pub ledger_looked_at_seconds: Gauge,
    /// In how many days a stream is full that is kept for good; not a number where that cannot be told; labels: stream.
    pub stream_full_in_days: Gauges<1>,
    /// 1 if the last round of an account's canary customer came through, 0 if it did not; labels: channel, account.
    pub canary_ok: Gauges<2>,
    /// When a canary customer came through last, seconds since 1970; labels: channel, account.
    pub canary_succeeded_at_seconds: Gauges<2>,
    /// When a canary customer's last round ended, however, or it began to be played, seconds since 1970; labels: channel, account.
    pub canary_looked_at_seconds: Gauges<2>,
    /// Longest time between the ends of two rounds of a canary customer; labels: channel, account.
    pub canary_round_seconds: Gauges<2>,
    /// 1 for the hop at which a canary customer's last round ended, 0 for the others; labels: channel, account, hop.
    pub canary_broken: Gauges<3>,
    /// What a hop took in a canary customer's last round; labels: channel, account, hop.
    pub canary_hop_seconds: Gauges<3>,
    /// When a certificate ends by which this process is reached, or goes to nats-server, seconds since 1970; labels: of.
    pub certificate_ends_at_seconds: Gauges<1>,
    /// Used share of a stream's size, 0 to 1; labels: stream.
    pub stream_used_ratio: Gauges<1>,
    /// Used share of the disk under the streams, 0 to 1; not a number while nobody knows.
    pub disk_used_ratio: FloatGauge,
    /// 1 while the process is fit to serve, else 0: what `/health/ready` answers.
    pub ready: Gauge,
    /// What the clock of this machine says, seconds since 1970: whoever reads it knows whether it is right.
    pub clock_seconds: FloatGauge,
    /// 1 while this process leads, 0 while it stands by; labels: role.
    pub leads: Gauges<1>,
    /// 1 while the bus is connected, else 0.
    pub bus_connected: Gauge,
    /// Fences that this process wrote.
    pub fences_total: Counter,
    /// Times that this process took the lead over from another.
    pub takeovers_total: Counter,
    /// What became of what agents gave; labels: outcome.
    pub remedies_total: Counters<1>,
    /// How questions to colleagues ended; labels: end.
    pub asks_total: Counters<1>,
    /// Orders of which nobody knows whether they were carried out.
    pub orders_unknown: Gauge,
    /// Questions for facts to other systems; labels: source, end.
    pub facts_asked_total: Counters<2>,
    /// From a desk's question what can be given to its answer.
    pub till_seconds: Histogram,
    /// From a contact's creation to its first offer.
    pub time_to_offer_seconds: Histogram,
    /// From an append to its acknowledgement.
    pub append_seconds: Histogram,
    /// Spans of traces, by what became of them; labels: end (sent, no_room, not_taken).
    pub spans_total: Counters<1>,
    registry: Arc<Registry>,
}

impl Metrics {
    /// Everything at zero.
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("winterband");
        let r = &mut registry;
        Self {
            messages_received_total: counters(r, "messages_received", "Messages taken in", ["channel"]),
            messages_sent_total: counters(r, "messages_sent", "Messages sent to customers", ["channel"]),
            parked_total: counters(r, "parked", "Inputs parked for a person", ["channel", "reason"]),
            refused_total: counters(r, "refused", "Inputs refused", ["channel", "reason"]),
            masked_total: counters(r, "masked", "Card numbers and secrets taken out", ["channel", "kind"]),
            retention_keys_total: counters(r, "retention_keys", "Keys destroyed for age", ["class"]),
            duplicates_total: counters(r, "duplicates", "Inputs consumed before", ["channel"]),
            retried_total: counters(r, "retried", "Repeated attempts to send", ["channel"]),
            commands_total: counters(r, "commands", "Commands by outcome", ["outcome"]),
            contacts_waiting: gauges(r, "contacts_waiting", "Contacts without an agent", ["queue"]),
            contacts_with_agents: gauges(r, "contacts_with_agents", "Contacts with an agent", ["queue"]),
            contacts_waiting_late: gauges(
                r,
                "contacts_waiting_late",
                "Contacts that wait too long",
                ["queue"],
            ),
            waits_told_total: counters(r, "waits_told", "Waits told, once served or left", ["queue", "said"]),
            waits_kept_total: counters(r, "waits_kept", "Waits that came true", ["queue", "said"]),
            log_lag_records: gauges(r, "log_lag_records", "Records not yet applied", ["role"]),
            channel_account_state: account_state(r),
            channel_waiting: channel_waiting(r),
            deliveries_total: deliveries(r),
            search_entries_total: search_entries(r),
            sockets_open: gauges(r, "sockets_open", "Open sockets", ["kind"]),
            ledger_faults: single(r, "ledger_faults", "What does not balance", Gauge::default()),
            ledger_fault: gauges(r, "ledger_fault", "A fault that stands", ["fault"]),
            ledger_looked_at_seconds: looked_at(r),
            stream_full_in_days: full_in_days(r),
            canary_ok: of_account(r, "canary_ok", "1 if the last round came through"),
            canary_succeeded_at_seconds: of_account(
                r,
                "canary_succeeded_at_seconds",
                "Last that came through",
            ),
            canary_looked_at_seconds: of_account(r, "canary_looked_at_seconds", "When the last round ended"),
            canary_round_seconds: of_account(r, "canary_round_seconds", "From one round's end to the next"),
            canary_broken: canary(r, "canary_broken", "1 for the hop at which the last round ended"),
            canary_hop_seconds: canary(r, "canary_hop_seconds", "What a hop took in the last round"),
            certificate_ends_at_seconds: certificates(r),
            stream_used_ratio: gauges(r, "stream_used_ratio", "Used share of a stream's size", ["stream"]),
            disk_used_ratio: single(r, "disk_used_ratio", "Used share of the disk", unknown()),
            ready: single(r, "ready", "1 while the process is fit to serve", Gauge::default()),
            clock_seconds: single(r, "clock_seconds", "What the clock says", unknown()),
            leads: gauges(r, "leads", "1 while this process leads", ["role"]),
            bus_connected: single(r, "bus_connected", "1 while the bus is connected", Gauge::default()),
            fences_total: single(r, "fences", "Fences written", Counter::default()),
            takeovers_total: single(r, "takeovers", "Leads taken over", Counter::default()),
            remedies_total: counters(r, "remedies", "What became of what agents gave", ["outcome"]),
            asks_total: counters(r, "asks", "Questions to colleagues by their end", ["end"]),
            orders_unknown: single(r, "orders_unknown", "Orders with an unknown outcome", Gauge::default()),
            facts_asked_total: facts_asked(r),
            till_seconds: seconds(r, "till_seconds", "From a desk's question to its answer", &TILL_SECONDS),
            time_to_offer_seconds: seconds(
                r,
                "time_to_offer_seconds",
                "From creation to first offer",
                &OFFER_SECONDS,
            ),
            append_seconds: seconds(r, "append_seconds", "From an append to its answer", &APPEND_SECONDS),
            spans_total: counters(r, "spans", "Spans of traces by what became of them", ["end"]),
            registry: Arc::new(registry),
        }
    }

    /// The text that `/metrics` answers with.
    ///
    /// # Errors
    /// Never in practice: writing to a `String` does not fail.
    pub fn encode(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

fn counters<const N: usize>(
    registry: &mut Registry,
    name: &str,
    help: &str,
    labels: [&'static str; N],
) -> Counters<N> {
    let counters = Counters::new(labels);
    registry.register(name, help, counters.family());
    counters
}

fn gauges<const N: usize>(
    registry: &mut Registry,
    name: &str,
    help: &str,
    labels: [&'static str; N],
) -> Gauges<N> {
    let gauges = Gauges::new(labels);
    registry.register(name, help, gauges.family());
    gauges
}

fn seconds(registry: &mut Registry, name: &str, help: &str, bounds: &[f64]) -> Histogram {
    single(registry, name, help, Histogram::new(bounds.iter().copied()))
}

fn account_state(registry: &mut Registry) -> Gauges<3> {
    let labels = ["channel", "account", "state"];
    gauges(registry, "channel_account_state", "1 for the state that an account is in", labels)
}

fn canary(registry: &mut Registry, name: &str, help: &str) -> Gauges<3> {
    gauges(registry, name, help, ["channel", "account", "hop"])
}

fn of_account(registry: &mut Registry, name: &str, help: &str) -> Gauges<2> {
    gauges(registry, name, help, ["channel", "account"])
}

fn certificates(registry: &mut Registry) -> Gauges<1> {
    gauges(registry, "certificate_ends_at_seconds", "When a certificate ends", ["of"])
}

fn facts_asked(registry: &mut Registry) -> Counters<2> {
    let help = "Questions for facts to other systems";
    counters(registry, "facts_asked", help, ["source", "end"])
}

fn search_entries(registry: &mut Registry) -> Counters<1> {
    let help = "Entries with words, by what became of them in the search's index";
    counters(registry, "search_entries", help, ["end"])
}

fn deliveries(registry: &mut Registry) -> Counters<2> {
    let help = "Steps of messages to customers";
    counters(registry, "deliveries", help, ["channel", "state"])
}

fn channel_waiting(registry: &mut Registry) -> Gauges<2> {
    let help = "Messages that wait to be sent";
    gauges(registry, "channel_waiting", help, ["channel", "account"])
}

fn looked_at(registry: &mut Registry) -> Gauge {
    single(registry, "ledger_looked_at_seconds", "When the ledger was looked at last", Gauge::default())
}

fn full_in_days(registry: &mut Registry) -> Gauges<1> {
    gauges(registry, "stream_full_in_days", "Days until a stream is full", ["stream"])
}

/// A level that nobody has measured yet, which is not the same as none.
fn unknown() -> FloatGauge {
    let gauge = FloatGauge::default();
    gauge.set(f64::NAN);
    gauge
}

fn single<M>(registry: &mut Registry, name: &str, help: &str, metric: M) -> M
where
    M: prometheus_client::registry::Metric + Clone,
{
    registry.register(name, help, metric.clone());
    metric
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_labels_come_out_as_documented() {
        let metrics = Metrics::new();
        metrics.messages_received_total.inc(["web"]);
        metrics.clone().messages_received_total.add(["web"], 2);
        metrics.parked_total.inc(["web", "too_large"]);
        metrics.contacts_waiting.set(["sales"], 4.0);
        metrics.fences_total.inc();
        metrics.bus_connected.set(1);
        metrics.time_to_offer_seconds.observe(0.02);
        assert!(
            metrics.encode().unwrap().contains("winterband_disk_used_ratio NaN\n"),
            "unknown is not empty"
        );
        metrics.disk_used_ratio.set(0.25);
        let text = metrics.encode().unwrap();
        for line in [
            "winterband_messages_received_total{channel=\"web\"} 3",
            "winterband_parked_total{channel=\"web\",reason=\"too_large\"} 1",
            "winterband_contacts_waiting{queue=\"sales\"} 4.0",
            "winterband_fences_total 1",
            "winterband_takeovers_total 0",
            "winterband_disk_used_ratio 0.25",
            "winterband_bus_connected 1",
            "winterband_time_to_offer_seconds_count 1",
            "winterband_append_seconds_count 0",
            "# EOF",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
    }

    /// Every family and its type, in the order of their names.
    const FAMILIES: [&str; 45] = [
        "append_seconds histogram",
        "asks counter",
        "bus_connected gauge",
        "canary_broken gauge",
        "canary_hop_seconds gauge",
        "canary_looked_at_seconds gauge",
        "canary_ok gauge",
        "canary_round_seconds gauge",
        "canary_succeeded_at_seconds gauge",
        "certificate_ends_at_seconds gauge",
        "channel_account_state gauge",
        "channel_waiting gauge",
        "clock_seconds gauge",
        "commands counter",
        "contacts_waiting gauge",
        "contacts_waiting_late gauge",
        "contacts_with_agents gauge",
        "deliveries counter",
        "disk_used_ratio gauge",
        "duplicates counter",
        "facts_asked counter",
        "fences counter",
        "leads gauge",
        "ledger_fault gauge",
        "ledger_faults gauge",
        "ledger_looked_at_seconds gauge",
        "log_lag_records gauge",
        "messages_received counter",
        "messages_sent counter",
        "orders_unknown gauge",
        "parked counter",
        "ready gauge",
        "refused counter",
        "remedies counter",
        "retried counter",
        "search_entries counter",
        "sockets_open gauge",
        "spans counter",
        "stream_full_in_days gauge",
        "stream_used_ratio gauge",
        "takeovers counter",
        "till_seconds histogram",
        "time_to_offer_seconds histogram",
        "waits_kept counter",
        "waits_told counter",
    ];

    /// A name that is registered twice, or with the wrong type, does not come out as one family of that type.
    #[test]
    fn every_family_is_registered_once() {
        let metrics = Metrics::new();
        let m = &metrics;
        for counters in
            [&m.messages_received_total, &m.messages_sent_total, &m.duplicates_total, &m.retried_total]
        {
            counters.inc(["web"]);
        }
        for counters in [&m.parked_total, &m.refused_total] {
            counters.inc(["web", "too_large"]);
        }
        m.commands_total.inc(["accepted"]);
        m.remedies_total.inc(["granted"]);
        m.asks_total.inc(["yes"]);
        m.search_entries_total.inc(["indexed"]);
        m.spans_total.inc(["sent"]);
        m.facts_asked_total.inc(["shop", "silent"]);
        for gauges in [&m.contacts_waiting, &m.contacts_with_agents, &m.log_lag_records, &m.sockets_open] {
            gauges.set(["a"], 1.0);
        }
        m.channel_account_state.set(["email", "support", "working"], 1.0);
        m.channel_waiting.set(["email", "support"], 1.0);
        m.canary_ok.set(["web", "shop"], 1.0);
        for gauges in [&m.canary_succeeded_at_seconds, &m.canary_looked_at_seconds, &m.canary_round_seconds] {
            gauges.set(["web", "shop"], 9.0);
        }
        m.certificate_ends_at_seconds.set(["nats:4222"], 9.0);
        m.canary_broken.set(["web", "shop", "desk"], 0.0);
        m.canary_hop_seconds.set(["web", "shop", "desk"], 0.1);
        m.deliveries_total.inc(["email", "accepted"]);
        m.stream_used_ratio.set(["INBOUND"], 0.5);
        m.stream_full_in_days.set(["CONTACTS"], 9.0);
        m.waits_told_total.inc(["a", "p90"]);
        m.waits_kept_total.inc(["a", "p90"]);
        m.contacts_waiting_late.set(["a"], 1.0);
        m.leads.set(["routing"], 1.0);
        m.ledger_fault.set(["msg_1 was lost"], 1.0);
        let text = m.encode().unwrap();
        let mut types: Vec<&str> =
            text.lines().filter_map(|line| line.strip_prefix("# TYPE winterband_")).collect();
        types.sort_unstable();
        assert_eq!(types, FAMILIES);
    }
}
