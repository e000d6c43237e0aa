//! How many agents there may be at a time, and which of them are asked to end when there are many.

/// The most agents at a time, whatever the system allows.
const AGENTS_MAX: usize = 4_000;
/// Above so many, those that were unused longest are asked to end as soon as nothing is under way in them. They cost memory
/// more than starting them again costs time.
const AGENTS_AT_EASE: usize = 100;
/// Descriptors that the supervisor has for an agent and a command that the agent has run.
const DESCRIPTORS_EACH: u64 = 8;
/// Descriptors that the supervisor has besides: ports, log files, the other roles, what is being passed on.
const DESCRIPTORS_RESERVED: u64 = 128;

/// How many there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Room {
    /// Never more than that: who needs another one waits.
    pub(super) most: usize,
    /// Above that, some are asked to end.
    at_ease: usize,
}

impl Room {
    /// In a process that may open so many descriptors.
    pub(super) fn of(descriptors: u64) -> Room {
        let most = descriptors.saturating_sub(DESCRIPTORS_RESERVED) / DESCRIPTORS_EACH;
        let most = usize::try_from(most).unwrap_or(usize::MAX).clamp(1, AGENTS_MAX);
        Room {
            most,
            at_ease: AGENTS_AT_EASE.min(most / 4),
        }
    }

    /// Whether one more is one that others should make room for.
    pub(super) fn is_crowded(&self, agents: usize) -> bool {
        agents > self.at_ease
    }

    /// Those to be asked to end, the one that was unused longest first: of all that were not asked yet, as many as are above what is
    /// at ease; everybody when somebody waits.
    pub(super) fn asked(&self, mut agents: Vec<Used>, waits: Waits) -> Vec<u64> {
        agents.retain(|agent| !agent.was_asked);
        agents.sort_unstable_by_key(|agent| agent.last_used);
        let stay = match waits {
            Waits::Nobody => self.at_ease,
            Waits::Somebody => 0,
        };
        agents.truncate(agents.len().saturating_sub(stay));
        agents.into_iter().map(|agent| agent.id).collect()
    }
}

/// Whether somebody waits for an agent that there is no room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Waits {
    Nobody,
    Somebody,
}

/// An agent, as far as it matters here.
#[derive(Debug, Clone, Copy)]
pub(super) struct Used {
    /// The number of the child.
    pub(super) id: u64,
    /// The turn of its last order; later ones are greater.
    pub(super) last_used: u64,
    /// Whether it knows that it is to end when it can.
    pub(super) was_asked: bool,
}

#[cfg(test)]
mod tests {
    use super::{AGENTS_MAX, Room, Used, Waits};

    fn used(id: u64, last_used: u64) -> Used {
        Used {
            id,
            last_used,
            was_asked: false,
        }
    }

    #[test]
    fn the_bound_follows_the_descriptors() {
        let of = |descriptors| {
            let room = Room::of(descriptors);
            (room.most, room.at_ease)
        };
        assert_eq!(of(1024), (112, 28));
        assert_eq!(of(20_000), (2_484, 100));
        assert_eq!(of(u64::MAX), (AGENTS_MAX, 100));
        // One at a time is better than none.
        assert_eq!(of(0), (1, 0));
    }

    #[test]
    fn the_longest_unused_are_asked_and_nobody_twice() {
        let room = Room { most: 8, at_ease: 2 };
        let agents = vec![used(1, 40), used(2, 10), used(3, 30), used(4, 20)];
        assert_eq!(room.asked(agents.clone(), Waits::Nobody), [2, 4]);
        assert_eq!(room.asked(agents.clone(), Waits::Somebody), [2, 4, 3, 1]);
        let mut asked = agents;
        asked[1].was_asked = true;
        assert_eq!(room.asked(asked, Waits::Nobody), [4]);
        assert_eq!(room.asked(vec![used(1, 1), used(2, 2)], Waits::Nobody), [0; 0]);
        assert_eq!(room.asked(Vec::new(), Waits::Somebody), [0; 0]);
        assert!(!room.is_crowded(2) && room.is_crowded(3));
    }
}
