//! What queues must do: the formulas that the scenarios are held against.

/// Erlang's loss formula, by its recursion: the share of customers who find all of `servers` busy and leave, at `load` erlang.
///
/// A. K. Erlang, 1917; B(0) = 1, B(n) = a B(n-1) / (n + a B(n-1)).
#[must_use]
pub fn erlang_b(servers: u32, load: f64) -> f64 {
    (1..=servers).fold(1.0, |blocked, n| load * blocked / (f64::from(n) + load * blocked))
}

/// Erlang's delay formula: the share of customers who wait, at `load` erlang below `servers`.
///
/// A. K. Erlang, 1917; C = B / (1 - (a / n) (1 - B)).
#[must_use]
pub fn erlang_c(servers: u32, load: f64) -> f64 {
    let blocked = erlang_b(servers, load);
    blocked / (1.0 - load / f64::from(servers) * (1.0 - blocked))
}

/// A floor where customers wait as long as it takes (M/M/n).
#[derive(Clone, Copy, Debug)]
pub struct Patient {
    /// How many agents.
    pub servers: u32,
    /// Arrivals in a unit of time.
    pub rate: f64,
    /// The mean work, in the same unit.
    pub work: f64,
}

impl Patient {
    /// The load, erlang.
    #[must_use]
    pub fn load(&self) -> f64 {
        self.rate * self.work
    }

    /// The share who wait.
    #[must_use]
    pub fn waits(&self) -> f64 {
        erlang_c(self.servers, self.load())
    }

    /// The rate at which the line gets shorter while all are busy.
    fn drain(&self) -> f64 {
        f64::from(self.servers) / self.work - self.rate
    }

    /// The mean wait of all.
    #[must_use]
    pub fn mean_wait(&self) -> f64 {
        self.waits() / self.drain()
    }

    /// The share who wait no longer than `time`.
    #[must_use]
    pub fn within(&self, time: f64) -> f64 {
        1.0 - self.waits() * (-self.drain() * time).exp()
    }

    /// The wait that a share of all does not exceed.
    #[must_use]
    pub fn percentile(&self, share: f64) -> f64 {
        ((self.waits() / (1.0 - share)).ln() / self.drain()).max(0.0)
    }
}

/// A floor whose customers leave after an exponential patience (Erlang A, M/M/n+M): what all see, leaving or not.
///
/// C. Palm, 1946; Garnett, Mandelbaum and Reiman, Designing a call center with impatient customers, 2002. Computed from the
/// birth-and-death chain itself.
#[derive(Clone, Copy, Debug)]
pub struct Impatient {
    /// The share who leave before they are served.
    pub abandon: f64,
    /// The mean wait of all, in the unit of the rates.
    pub mean_wait: f64,
    /// The mean number in line.
    pub line: f64,
    /// The share of the agents who are busy.
    pub utilisation: f64,
}

impl Impatient {
    /// For such a floor, with a mean `patience`.
    #[must_use]
    pub fn new(floor: Patient, patience: f64) -> Self {
        let (mut weight, mut total, mut line, mut busy) = (1.0_f64, 1.0, 0.0, 0.0);
        // Beyond this the weights are nothing: the line drains by agents and by leaving.
        let states = floor.servers + 20_000;
        for n in 1..=states {
            let at_work = f64::from(n.min(floor.servers));
            let in_line = f64::from(n.saturating_sub(floor.servers));
            weight *= floor.rate / (at_work / floor.work + in_line / patience);
            // Kept in range: only proportions matter.
            if weight > 1e200 {
                weight /= 1e200;
                total /= 1e200;
                line /= 1e200;
                busy /= 1e200;
            }
            total += weight;
            line += weight * in_line;
            busy += weight * at_work;
        }
        let (line, busy) = (line / total, busy / total);
        Self {
            abandon: line / patience / floor.rate,
            mean_wait: line / floor.rate,
            line,
            utilisation: busy / f64::from(floor.servers),
        }
    }
}

/// Mean waits of classes served strictly in order, the first before all others, no work being interrupted; the same mean work
/// for all, `floor.rate` being ignored.
///
/// A. Cobham, Priority assignment in waiting line problems, 1954.
#[must_use]
pub fn cobham(floor: Patient, rates: &[f64]) -> Vec<f64> {
    let rate = rates.iter().sum();
    let all = Patient { rate, ..floor };
    // The mean time until the next agent comes free, as who waits sees it.
    let residual = all.waits() * floor.work / f64::from(floor.servers);
    let share = |rate: f64| rate * floor.work / f64::from(floor.servers);
    let mut before = 0.0;
    let wait = |rate: &f64| {
        let with = before + share(*rate);
        let wait = residual / ((1.0 - before) * (1.0 - with));
        before = with;
        wait
    };
    rates.iter().map(wait).collect()
}

/// Mean waits at one agent (M/M/1) where a customer's priority grows with the wait, by `slopes`, given in rising order with their
/// `rates`.
///
/// L. Kleinrock, A delay dependent queue discipline, 1964:
/// W(p) = (W0 / (1 - rho) - sum over i < p of rho(i) W(i) (1 - b(i) / b(p))) / (1 - sum over i > p of rho(i) (1 - b(p) / b(i))).
#[must_use]
pub fn accumulating(work: f64, rates: &[f64], slopes: &[f64]) -> Vec<f64> {
    let classes: Vec<(f64, f64)> = rates.iter().map(|rate| rate * work).zip(slopes.iter().copied()).collect();
    let busy: f64 = classes.iter().map(|(share, _)| share).sum();
    let first_come = busy * work / (1.0 - busy);
    let mut waits: Vec<f64> = Vec::new();
    for (_, slope) in &classes {
        let slower: f64 = classes
            .iter()
            .zip(&waits)
            .map(|((share, other), wait)| share * wait * (1.0 - other / slope))
            .sum();
        let faster: f64 =
            classes.iter().skip(waits.len() + 1).map(|(share, other)| share * (1.0 - slope / other)).sum();
        waits.push((first_come - slower) / (1.0 - faster));
    }
    waits
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(found: f64, published: f64, relative: f64) {
        assert!((found / published - 1.0).abs() < relative, "{found} is not {published}");
    }

    #[test]
    fn the_loss_formula_gives_the_published_table() {
        near(erlang_b(15, 8.108), 0.01, 1e-3);
    }

    #[test]
    fn the_delay_formula_gives_the_textbook() {
        near(erlang_c(2, 1.0), 1.0 / 3.0, 1e-12);
        near(erlang_c(3, 2.0), 4.0 / 9.0, 1e-12);
    }

    #[test]
    fn the_worked_example_holds() {
        let floor = Patient { servers: 55, rate: 0.2, work: 240.0 };
        near(floor.waits(), 0.2387, 1e-3);
        near(floor.mean_wait(), 8.184, 1e-3);
        near(floor.within(15.0), 0.8459, 1e-3);
    }

    #[test]
    fn a_heavy_floor_is_as_published() {
        let floor = Patient { servers: 50, rate: 0.8, work: 60.0 };
        near(floor.mean_wait(), 20.8, 0.01);
        near(floor.percentile(0.9), 58.1, 0.01);
        near(floor.mean_wait() * floor.rate, 16.7, 0.01);
    }

    #[test]
    fn patience_changes_all_as_published() {
        let floor = Impatient::new(Patient { servers: 50, rate: 0.8, work: 60.0 }, 120.0);
        near(floor.abandon, 0.0309, 0.005);
        near(floor.mean_wait, 3.71, 0.005);
        near(floor.line, 2.97, 0.005);
        near(floor.utilisation, 0.93, 0.005);
    }

    #[test]
    fn priorities_wait_as_published() {
        let rates = [0.2, 0.6, 1.2];
        for (servers, published) in [(1, [0.2381, 0.3247, 0.9091]), (2, [0.02874, 0.03316, 0.04808])] {
            let waits = cobham(Patient { servers, rate: 0.0, work: 1.0 / 3.0 }, &rates);
            for (found, published) in waits.iter().zip(published) {
                near(*found, published, 1e-3);
            }
        }
    }

    #[test]
    fn who_ages_faster_waits_less_as_published() {
        let waits = accumulating(1.0, &[0.4, 0.4], &[1.0, 4.0]);
        near(waits[0], 5.714, 1e-3);
        near(waits[1], 2.286, 1e-3);
    }
}
