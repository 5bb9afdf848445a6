//! Things by id, in groups: so many in all and so many in a group, past which the oldest goes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Ids are born in the order of the log, so the least is the oldest.
#[derive(Debug)]
pub(super) struct Kept<Id, Group, Thing> {
    by_id: BTreeMap<Id, (Group, Arc<Thing>)>,
    groups: BTreeMap<Group, BTreeSet<Id>>,
    most: usize,
    most_in_group: usize,
}

impl<Id: Copy + Ord, Group: Copy + Ord, Thing: Clone> Kept<Id, Group, Thing> {
    pub(super) fn new(most: usize, most_in_group: usize) -> Self {
        Self { by_id: BTreeMap::new(), groups: BTreeMap::new(), most, most_in_group }
    }

    pub(super) fn insert(&mut self, id: Id, group: Group, thing: Thing) -> Arc<Thing> {
        self.remove(id);
        let thing = Arc::new(thing);
        self.by_id.insert(id, (group, Arc::clone(&thing)));
        let of_group = self.groups.entry(group).or_default();
        of_group.insert(id);
        let too_many_in_group = of_group.len() > self.most_in_group;
        let oldest_in_group = of_group.first().copied();
        if let Some(oldest) = oldest_in_group.filter(|_| too_many_in_group) {
            self.remove(oldest);
        }
        if self.by_id.len() > self.most
            && let Some(oldest) = self.by_id.keys().next().copied()
        {
            self.remove(oldest);
        }
        thing
    }

    /// Changes a thing that is here; gives its group, and the thing as it is now.
    pub(super) fn change(&mut self, id: Id, with: impl FnOnce(&mut Thing)) -> Option<(Group, Arc<Thing>)> {
        let (group, thing) = self.by_id.get_mut(&id)?;
        with(Arc::make_mut(thing));
        Some((*group, Arc::clone(thing)))
    }

    pub(super) fn get(&self, id: Id) -> Option<&Arc<Thing>> {
        self.by_id.get(&id).map(|(_, thing)| thing)
    }

    pub(super) fn remove(&mut self, id: Id) -> Option<Arc<Thing>> {
        let (group, thing) = self.by_id.remove(&id)?;
        if let Some(of_group) = self.groups.get_mut(&group) {
            of_group.remove(&id);
            if of_group.is_empty() {
                self.groups.remove(&group);
            }
        }
        Some(thing)
    }

    /// Oldest first.
    pub(super) fn all(&self) -> impl Iterator<Item = &Arc<Thing>> {
        self.by_id.values().map(|(_, thing)| thing)
    }

    /// Oldest first.
    pub(super) fn of(&self, group: Group) -> impl Iterator<Item = &Arc<Thing>> {
        let ids = self.groups.get(&group).into_iter().flatten();
        ids.filter_map(|id| self.get(*id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_goes_past_either_limit() {
        let mut kept: Kept<u64, char, u64> = Kept::new(5, 3);
        let ids = |kept: &Kept<u64, char, u64>| kept.all().map(|id| **id).collect::<Vec<_>>();
        for id in 1..=4 {
            kept.insert(id, 'a', id);
        }
        assert_eq!(ids(&kept), [2, 3, 4], "of its group");
        for id in 5..=7 {
            kept.insert(id, 'b', id);
        }
        assert_eq!(ids(&kept), [3, 4, 5, 6, 7], "of all");
        assert_eq!(kept.of('a').map(|id| **id).collect::<Vec<_>>(), [3, 4]);
        kept.remove(3);
        kept.remove(4);
        assert!(kept.groups.keys().eq(&['b']), "an empty group takes no room");
    }

    #[test]
    fn what_was_shown_before_a_change_stays_as_it_was() {
        let mut kept: Kept<u64, char, u64> = Kept::new(5, 3);
        let before = kept.insert(1, 'a', 10);
        let (group, after) = kept.change(1, |thing| *thing = 11).unwrap();
        assert_eq!((group, *before, *after), ('a', 10, 11));
        assert_eq!(kept.change(2, |_| ()), None);
    }
}
