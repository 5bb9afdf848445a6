//! How much is left within the limits of a card or the latitude.

use protocol::money::Currency;
use protocol::policy::{Limit, Per};

/// Cents that are left within all limits, and the limit that ends it. A currency that a limit does not name has none; the
/// limit of an incident says nothing where none is named. No limit at all: nothing, never without bound.
pub(super) fn left(
    limits: &[Limit],
    currency: Currency,
    used: &dyn Fn(Per) -> u64,
    incident: Incident,
) -> (u64, Option<Per>) {
    let mut least: Option<(u64, Per)> = None;
    for limit in limits {
        if limit.per == Per::Incident && incident == Incident::None {
            continue;
        }
        let cap = limit.cents.get(&currency).copied().unwrap_or(0);
        let left = cap.saturating_sub(used(limit.per));
        if least.is_none_or(|(so_far, _)| left < so_far) {
            least = Some((left, limit.per));
        }
    }
    least.map_or((0, None), |(cents, per)| (cents, Some(per)))
}

/// Whether the claim names an incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Incident {
    Named,
    None,
}
