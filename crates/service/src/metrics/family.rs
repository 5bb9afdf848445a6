//! Counts by label, with a bound on how many values a label takes: a label's values live for ever in the process and
//! in whatever reads it.

use std::collections::BTreeSet;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, PoisonError, RwLock};

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;

/// Different values that one label of one metric takes; what comes after them counts as [`OTHER`].
pub const VALUES_MAX: usize = 200;

/// The label value of everything past the bound.
pub const OTHER: &str = "other";

/// Names with values.
pub type Labels<const N: usize> = [(&'static str, String); N];

/// A level that need not be whole.
pub type FloatGauge = Gauge<f64, AtomicU64>;

/// The values that each label has taken.
#[derive(Clone, Debug)]
struct Bound<const N: usize> {
    names: [&'static str; N],
    seen: Arc<[RwLock<BTreeSet<String>>; N]>,
}

impl<const N: usize> Bound<N> {
    fn new(names: [&'static str; N]) -> Self {
        Self { names, seen: Arc::new(std::array::from_fn(|_| RwLock::new(BTreeSet::new()))) }
    }

    fn labels(&self, values: [&str; N]) -> Labels<N> {
        let mut seen = self.seen.iter();
        let mut values = values.into_iter();
        self.names.map(|name| {
            let (value, seen) = (values.next().unwrap_or(OTHER), seen.next());
            (name, seen.map_or(OTHER, |seen| admit(seen, value)).to_owned())
        })
    }
}

fn admit<'a>(seen: &RwLock<BTreeSet<String>>, value: &'a str) -> &'a str {
    if seen.read().unwrap_or_else(PoisonError::into_inner).contains(value) {
        return value;
    }
    let mut seen = seen.write().unwrap_or_else(PoisonError::into_inner);
    if !seen.contains(value) {
        if seen.len() >= VALUES_MAX {
            return OTHER;
        }
        seen.insert(value.to_owned());
    }
    value
}

/// Counters by `N` labels; values are given in the order of the labels.
#[derive(Clone, Debug)]
pub struct Counters<const N: usize> {
    bound: Bound<N>,
    family: Family<Labels<N>, Counter>,
}

impl<const N: usize> Counters<N> {
    pub(super) fn new(names: [&'static str; N]) -> Self {
        Self { bound: Bound::new(names), family: Family::default() }
    }

    pub(super) fn family(&self) -> Family<Labels<N>, Counter> {
        self.family.clone()
    }

    /// Counts one.
    pub fn inc(&self, values: [&str; N]) {
        self.add(values, 1);
    }

    /// Counts `by`.
    pub fn add(&self, values: [&str; N], by: u64) {
        self.family.get_or_create_owned(&self.bound.labels(values)).inc_by(by);
    }

    /// What has been counted.
    pub fn get(&self, values: [&str; N]) -> u64 {
        self.family.get(&self.bound.labels(values)).map_or(0, |counter| counter.get())
    }
}

/// Gauges by `N` labels; values are given in the order of the labels.
#[derive(Clone, Debug)]
pub struct Gauges<const N: usize> {
    bound: Bound<N>,
    family: Family<Labels<N>, FloatGauge>,
}

impl<const N: usize> Gauges<N> {
    pub(super) fn new(names: [&'static str; N]) -> Self {
        Self { bound: Bound::new(names), family: Family::default() }
    }

    pub(super) fn family(&self) -> Family<Labels<N>, FloatGauge> {
        self.family.clone()
    }

    /// Sets the level.
    pub fn set(&self, values: [&str; N], to: f64) {
        self.family.get_or_create_owned(&self.bound.labels(values)).set(to);
    }

    /// One more; see [`Gauges::hold`] where the one less must not be forgotten.
    pub fn inc(&self, values: [&str; N]) {
        self.family.get_or_create_owned(&self.bound.labels(values)).inc();
    }

    /// One less.
    pub fn dec(&self, values: [&str; N]) {
        self.family.get_or_create_owned(&self.bound.labels(values)).dec();
    }

    /// One more until the returned guard is dropped, also by a panic.
    pub fn hold(&self, values: [&str; N]) -> Held {
        let gauge = self.family.get_or_create_owned(&self.bound.labels(values));
        gauge.inc();
        Held(gauge)
    }

    /// The level.
    pub fn get(&self, values: [&str; N]) -> f64 {
        self.family.get(&self.bound.labels(values)).map_or(0.0, |gauge| gauge.get())
    }
}

/// One in a gauge, for as long as it lives.
#[derive(Debug)]
pub struct Held(FloatGauge);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.dec();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_takes_its_bound_of_values_and_the_rest_is_other() {
        let counters = Counters::new(["channel", "reason"]);
        for n in 0..VALUES_MAX {
            counters.inc(["web", &n.to_string()]);
        }
        assert_eq!(counters.get(["web", &(VALUES_MAX - 1).to_string()]), 1);
        assert_eq!(counters.get(["web", OTHER]), 0);
        counters.inc(["web", "one past"]);
        counters.inc(["web", "two past"]);
        counters.inc(["web", "0"]);
        assert_eq!(counters.get(["web", OTHER]), 2);
        assert_eq!(counters.get(["web", "0"]), 2);
        let kept = counters.bound.seen.iter().map(|seen| seen.read().map_or(0, |seen| seen.len()));
        assert_eq!(kept.collect::<Vec<_>>(), [1, VALUES_MAX]);
    }

    #[test]
    fn a_held_gauge_falls_with_its_guard() {
        let gauges = Gauges::new(["kind"]);
        let first = gauges.hold(["desk"]);
        let second = gauges.hold(["desk"]);
        assert_eq!(gauges.get(["desk"]).total_cmp(&2.0), std::cmp::Ordering::Equal);
        drop((first, second));
        assert_eq!(gauges.get(["desk"]).total_cmp(&0.0), std::cmp::Ordering::Equal);
    }
}
