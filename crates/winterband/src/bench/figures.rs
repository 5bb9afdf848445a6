//! The figures of a run, as medians over its rounds and as ratios to the raw bus.

use std::time::Duration;

use serde::Serialize;

/// Two quantiles of a latency.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Latency {
    /// Half were faster, microseconds.
    pub(super) p50: f64,
    /// One in a hundred was slower, microseconds.
    pub(super) p99: f64,
}

impl Latency {
    /// Of at least one sample.
    pub(super) fn of(mut samples: Vec<Duration>) -> Option<Self> {
        samples.sort_unstable();
        let at = |percent: usize| {
            let index = (samples.len() * percent / 100).min(samples.len().checked_sub(1)?);
            samples.get(index).map(|sample| sample.as_secs_f64() * 1e6)
        };
        Some(Self { p50: at(50)?, p99: at(99)? })
    }
}

/// What one round measured.
#[derive(Clone, Copy, Debug)]
pub(super) struct Round {
    pub(super) raw_deliver: Latency,
    pub(super) offer: Latency,
    pub(super) raw_publish_per_s: f64,
    pub(super) assignments_per_s: f64,
    pub(super) records_per_assignment: f64,
}

/// The medians of a run.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Figures {
    rounds: usize,
    /// Publish to deliver, one after another, on the raw bus.
    raw_deliver_us: Latency,
    /// Pipelined publishes, all acknowledged.
    raw_publish_per_s: f64,
    /// Message published to offer at the agent's socket, one after another.
    offer_us: Latency,
    /// Contacts through message, offer, accept, reply, resolve.
    assignments_per_s: f64,
    records_per_assignment: f64,
    ratio: Ratio,
}

#[derive(Clone, Copy, Debug, Serialize)]
struct Ratio {
    /// Offer over raw delivery; the aim is at most 2.5.
    offer_p50: f64,
    offer_p99: f64,
    /// Assignments over raw publishes divided by records per assignment; the aim is at least 0.5.
    assignments: f64,
}

impl Figures {
    /// `None` if there was no round.
    pub(super) fn medians(rounds: &[Round]) -> Option<Self> {
        let median = |of: fn(&Round) -> f64| {
            let mut values: Vec<f64> = rounds.iter().map(of).collect();
            values.sort_by(f64::total_cmp);
            values.get(values.len() / 2).copied()
        };
        let raw = Latency { p50: median(|r| r.raw_deliver.p50)?, p99: median(|r| r.raw_deliver.p99)? };
        let offer = Latency { p50: median(|r| r.offer.p50)?, p99: median(|r| r.offer.p99)? };
        let (publishes, assignments) = (median(|r| r.raw_publish_per_s)?, median(|r| r.assignments_per_s)?);
        let records = median(|r| r.records_per_assignment)?;
        Some(Self {
            rounds: rounds.len(),
            raw_deliver_us: raw,
            raw_publish_per_s: publishes,
            offer_us: offer,
            assignments_per_s: assignments,
            records_per_assignment: records,
            ratio: Ratio {
                offer_p50: median(|r| r.offer.p50 / r.raw_deliver.p50)?,
                offer_p99: median(|r| r.offer.p99 / r.raw_deliver.p99)?,
                assignments: median(|r| {
                    r.assignments_per_s * r.records_per_assignment / r.raw_publish_per_s
                })?,
            },
        })
    }

    /// For people.
    pub(super) fn table(&self) -> String {
        format!(
            "medians of {} rounds, raw bus and product in turn on one server\n\n\
             {:<34} {:>12} {:>12} {:>8}   aim\n\
             {:<34} {:>9.0} us {:>9.0} us {:>8.2}   <= 2.5\n\
             {:<34} {:>9.0} us {:>9.0} us {:>8.2}\n\
             {:<34} {:>9.0} /s {:>9.0} /s {:>8.2}   >= 0.5\n\n\
             records per assignment: {:.2}; its ratio is assignments x records / raw publishes",
            self.rounds,
            "",
            "raw",
            "product",
            "ratio",
            "message to offer, p50",
            self.raw_deliver_us.p50,
            self.offer_us.p50,
            self.ratio.offer_p50,
            "message to offer, p99",
            self.raw_deliver_us.p99,
            self.offer_us.p99,
            self.ratio.offer_p99,
            "publishes / assignments",
            self.raw_publish_per_s,
            self.assignments_per_s,
            self.ratio.assignments,
            self.records_per_assignment,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_and_medians() {
        let latency = Latency::of((1..=100).map(Duration::from_micros).collect()).unwrap();
        assert!((latency.p50 - 51.0).abs() < 1e-6 && (latency.p99 - 100.0).abs() < 1e-6, "{latency:?}");
        assert!(Latency::of(Vec::new()).is_none());
        assert!(Figures::medians(&[]).is_none());
    }
}
