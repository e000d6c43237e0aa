//! UIDs, modification sequences and sets of UIDs.

/// A message's unique identifier in its mailbox; never 0, never used again (RFC 9051 §2.3.1.1).
pub type Uid = u32;

/// The value that makes a mailbox's UIDs comparable over time; never 0.
pub type UidValidity = u32;

/// A modification sequence (RFC 7162): grows with every change of a mailbox. 0 is before everything.
pub type ModSeq = u64;

/// A set of UIDs as ascending, disjoint, non-adjacent inclusive ranges.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UidSet {
    ranges: Vec<(Uid, Uid)>,
}

impl UidSet {
    /// The empty set.
    pub fn new() -> UidSet {
        UidSet::default()
    }

    /// Adds `first..=last` (in either order).
    pub fn insert_range(&mut self, first: Uid, last: Uid) {
        let (mut low, mut high) = (first.min(last), first.max(last));
        let from = self
            .ranges
            .partition_point(|&(_, end)| u64::from(end) + 1 < u64::from(low));
        let to = self
            .ranges
            .partition_point(|&(start, _)| u64::from(start) <= u64::from(high) + 1);
        if from < to {
            low = low.min(self.ranges[from].0);
            high = high.max(self.ranges[to - 1].1);
        }
        self.ranges.splice(from..to, [(low, high)]);
    }

    /// Adds one UID.
    pub fn insert(&mut self, uid: Uid) {
        match self.ranges.last_mut() {
            Some((_, end)) if *end < uid && *end + 1 == uid => *end = uid,
            Some((_, end)) if *end >= uid => self.insert_range(uid, uid),
            _ => self.ranges.push((uid, uid)),
        }
    }

    /// Whether `uid` is in the set.
    pub fn contains(&self, uid: Uid) -> bool {
        let at = self.ranges.partition_point(|&(_, end)| end < uid);
        self.ranges.get(at).is_some_and(|&(start, _)| start <= uid)
    }

    /// What is in both sets.
    pub fn intersection(&self, other: &UidSet) -> UidSet {
        let (mut left, mut right) = (self.ranges.as_slice(), other.ranges.as_slice());
        let mut both = UidSet::new();
        while let (Some(&(from, to)), Some(&(other_from, other_to))) = (left.first(), right.first()) {
            let (low, high) = (from.max(other_from), to.min(other_to));
            if low <= high {
                both.ranges.push((low, high));
            }
            match to < other_to {
                true => left = &left[1..],
                false => right = &right[1..],
            }
        }
        both
    }

    /// What is in this set and not in the other.
    pub fn difference(&self, other: &UidSet) -> UidSet {
        let mut outside = UidSet::new();
        let mut free_from = Some(0);
        for &(start, end) in &other.ranges {
            if let (Some(from), Some(to)) = (free_from, start.checked_sub(1))
                && from <= to
            {
                outside.ranges.push((from, to));
            }
            free_from = end.checked_add(1);
        }
        outside.ranges.extend(free_from.map(|from| (from, Uid::MAX)));
        self.intersection(&outside)
    }

    /// Whether the set is empty.
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// The ranges, ascending, inclusive.
    pub fn ranges(&self) -> &[(Uid, Uid)] {
        &self.ranges
    }

    /// Every UID, ascending. A set from a client may span 4 billion: intersect before you iterate.
    pub fn iter(&self) -> impl Iterator<Item = Uid> + '_ {
        self.ranges.iter().flat_map(|&(start, end)| start..=end)
    }

    /// How many UIDs the set holds.
    pub fn count(&self) -> u64 {
        self.ranges
            .iter()
            .map(|&(start, end)| u64::from(end - start) + 1)
            .sum()
    }
}

impl FromIterator<Uid> for UidSet {
    fn from_iter<I: IntoIterator<Item = Uid>>(uids: I) -> UidSet {
        let mut set = UidSet::new();
        uids.into_iter().for_each(|uid| set.insert(uid));
        set
    }
}

/// `1:3,5` as IMAP writes it; the empty set is the empty string.
impl std::fmt::Display for UidSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (index, &(start, end)) in self.ranges.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            if start == end {
                write!(f, "{comma}{start}")?;
            } else {
                write!(f, "{comma}{start}:{end}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_set_holds_what_was_put_in(ranges in proptest::collection::vec((1u32..200, 0u32..10), 0..40)) {
            let mut set = UidSet::new();
            let mut model = std::collections::BTreeSet::new();
            for (start, length) in ranges {
                if length == 0 { set.insert(start) } else { set.insert_range(start + length, start) }
                model.extend(start..=start + length);
            }
            prop_assert_eq!(set.iter().collect::<Vec<_>>(), model.iter().copied().collect::<Vec<_>>());
            prop_assert!(set.ranges().windows(2).all(|w| w[0].1 + 1 < w[1].0));
            let other: UidSet = model.iter().copied().filter(|uid| uid % 3 != 1).chain([210]).collect();
            let both: UidSet = model.iter().copied().filter(|uid| other.contains(*uid)).collect();
            let rest: UidSet = model.iter().copied().filter(|uid| !other.contains(*uid)).collect();
            prop_assert_eq!(set.intersection(&other), both);
            prop_assert_eq!(set.difference(&other), rest);
            for uid in 0..220 { prop_assert_eq!(set.contains(uid), model.contains(&uid)); }
        }
    }
}
