//! A transport: the messages that wait for it, the lines in front of its destinations, and who goes next.

use std::collections::{BTreeSet, HashMap, VecDeque};

use envelope::QueueId;

use super::action::Contact;
use super::line::{Line, Listed, Order, Size};
use super::options::{Destination, Overtaking, TransportLimits};

/// Names a line of a transport.
pub(super) type LineId = u64;

/// Recipients that are to wait, by line.
pub(super) type Joining = Vec<(LineId, VecDeque<u32>)>;

/// What of one message waits for one transport.
#[derive(Debug)]
struct Job {
    queue_id: QueueId,
    size: Size,
    /// Attempts begun.
    begun: usize,
    /// Attempts of smaller messages that went before.
    overtaken: usize,
    /// The recipients in each line.
    waiting: HashMap<LineId, VecDeque<u32>>,
}

/// An attempt that is to begin.
#[derive(Debug)]
pub(super) struct Next {
    pub(super) queue_id: QueueId,
    pub(super) line: LineId,
    pub(super) recipients: Vec<u32>,
}

/// Recipients of a message that wait no longer.
#[derive(Debug)]
pub(super) struct Dismissed {
    pub(super) queue_id: QueueId,
    pub(super) recipients: Vec<u32>,
}

/// A transport.
#[derive(Debug)]
pub(super) struct Transport {
    pub(super) name: String,
    pub(super) limits: TransportLimits,
    pub(super) in_flight: usize,
    /// Of these, those that wait for a host that says nothing.
    seeking: usize,
    /// Between two attempts of a transport that has a rate delay.
    pub(super) rests_until_micros: Option<i64>,
    lines: HashMap<LineId, Line>,
    by_destination: HashMap<Destination, LineId>,
    jobs: HashMap<Order, Job>,
    /// The lines that can take an attempt, by the oldest message in them …
    oldest: BTreeSet<(Order, u64, LineId)>,
    /// … and by the smallest.
    smallest: BTreeSet<((Size, Order), u64, LineId)>,
    next_line: LineId,
    next_turn: u64,
}

impl Transport {
    pub(super) fn new(name: String, limits: TransportLimits) -> Transport {
        Transport {
            name,
            limits,
            in_flight: 0,
            seeking: 0,
            rests_until_micros: None,
            lines: HashMap::new(),
            by_destination: HashMap::new(),
            jobs: HashMap::new(),
            oldest: BTreeSet::new(),
            smallest: BTreeSet::new(),
            next_line: 0,
            next_turn: 0,
        }
    }

    /// Takes other limits.
    pub(super) fn limit(&mut self, limits: TransportLimits) {
        let before = std::mem::replace(&mut self.limits, limits);
        let ids: Vec<LineId> = self.lines.keys().copied().collect();
        for id in ids {
            if let Some(line) = self.lines.get_mut(&id) {
                line.limit(&before, &limits);
            }
            self.list(id);
        }
    }

    /// The line in front of a destination, made when there is none.
    pub(super) fn line_to(&mut self, destination: &Destination) -> LineId {
        if let Some(id) = self.by_destination.get(destination) {
            return *id;
        }
        let id = self.next_line;
        self.next_line += 1;
        self.by_destination.insert(destination.clone(), id);
        self.lines
            .insert(id, Line::new(destination.clone(), &self.limits));
        id
    }

    pub(super) fn line(&self, id: LineId) -> Option<&Line> {
        self.lines.get(&id)
    }

    pub(super) fn line_mut(&mut self, id: LineId) -> Option<&mut Line> {
        self.lines.get_mut(&id)
    }

    pub(super) fn line_to_known(&self, destination: &Destination) -> Option<&Line> {
        self.lines.get(self.by_destination.get(destination)?)
    }

    pub(super) fn knows(&self, destination: &Destination) -> bool {
        self.by_destination.contains_key(destination)
    }

    pub(super) fn line_count(&self) -> usize {
        self.lines.len()
    }

    /// Forgets a line of which nothing is to be remembered.
    pub(super) fn forget_if_idle(&mut self, id: LineId) {
        if self.lines.get(&id).is_some_and(|line| !line.is_in_use())
            && let Some(line) = self.lines.remove(&id)
        {
            self.by_destination.remove(&line.destination);
        }
    }

    /// Lets recipients of a message wait. `size`: how many attempts all of it needs by this transport, as far as is known.
    pub(super) fn join(&mut self, (order, queue_id): (Order, &QueueId), size: Size, recipients: Joining) {
        let job = self.jobs.entry(order).or_insert_with(|| Job {
            queue_id: queue_id.clone(),
            size: size.max(1),
            begun: 0,
            overtaken: 0,
            waiting: HashMap::new(),
        });
        let size = job.size;
        for (id, more) in recipients {
            job.waiting.entry(id).or_default().extend(more);
            if let Some(line) = self.lines.get_mut(&id) {
                line.join(order, size);
            }
            list(
                &mut self.lines,
                &mut self.oldest,
                &mut self.smallest,
                (id, self.next_turn),
            );
            self.next_turn += 1;
        }
    }

    /// Lists a line among those that can take an attempt, or not, as it is now.
    pub(super) fn list(&mut self, id: LineId) {
        list(
            &mut self.lines,
            &mut self.oldest,
            &mut self.smallest,
            (id, self.next_turn),
        );
        self.next_turn += 1;
    }

    /// Who goes next, if anybody can; see the rule of fairness at [`super::Scheduler`].
    pub(super) fn next(&mut self) -> Option<Next> {
        let counted = self.in_flight - self.seeking.min(self.limits.seeking);
        if counted >= self.limits.total.max(1) || self.rests_until_micros.is_some() {
            return None;
        }
        let (oldest, _, line_of_oldest) = *self.oldest.first()?;
        let ((_, smallest), _, line_of_smallest) = *self.smallest.first()?;
        if smallest != oldest && self.may_overtake(smallest, oldest) {
            self.jobs.get_mut(&oldest)?.overtaken += 1;
            return self.begin(smallest, line_of_smallest);
        }
        self.begin(oldest, line_of_oldest)
    }

    /// Whether the job `small` may have an attempt before the job `large`.
    fn may_overtake(&self, small: Order, large: Order) -> bool {
        let (Some(small), Some(large)) = (self.jobs.get(&small), self.jobs.get(&large)) else {
            return false;
        };
        let Overtaking {
            cost,
            loan,
            discount_percent,
            minimum,
        } = self.limits.overtaking;
        if cost == 0 || small.size >= large.size {
            return false;
        }
        let cost = cost.max(2);
        if large.size / cost < minimum {
            return false;
        }
        let needed = small.size.saturating_sub(small.begun).max(1);
        let missing_at_most = loan + needed * discount_percent.min(100) / 100;
        large.begun / cost + missing_at_most >= large.overtaken + needed
    }

    /// Takes the next recipients of a job out of a line.
    fn begin(&mut self, order: Order, id: LineId) -> Option<Next> {
        let job = self.jobs.get_mut(&order)?;
        let waiting = job.waiting.get_mut(&id)?;
        let count = self.limits.recipient_limit.max(1).min(waiting.len());
        let recipients = waiting.drain(..count).collect();
        job.begun += 1;
        let next = Next {
            queue_id: job.queue_id.clone(),
            line: id,
            recipients,
        };
        let is_through = waiting.is_empty();
        if is_through {
            job.waiting.remove(&id);
            if job.waiting.is_empty() {
                self.jobs.remove(&order);
            }
        }
        if let Some(line) = self.lines.get_mut(&id) {
            line.in_flight += 1;
            if is_through {
                line.leave(order);
            }
            if let Some(before) = line.listed.take() {
                self.oldest.remove(&(before.oldest, before.turn, id));
                self.smallest.remove(&(before.smallest, before.turn, id));
            }
        }
        self.in_flight += 1;
        self.list(id);
        Some(next)
    }

    /// An attempt at the destination of a line begins or ceases to wait for a host that says nothing.
    pub(super) fn note_contact(&mut self, id: LineId, contact: Contact) {
        let Some(line) = self.lines.get_mut(&id) else {
            return;
        };
        match contact {
            Contact::Sought => {
                line.seeking += 1;
                self.seeking += 1;
            }
            Contact::Made => {
                line.seeking -= 1;
                self.seeking -= 1;
            }
        }
        self.list(id);
    }

    /// All who wait in a line, who do so no longer.
    pub(super) fn dismiss_line(&mut self, id: LineId) -> Vec<Dismissed> {
        let Some(line) = self.lines.get_mut(&id) else {
            return Vec::new();
        };
        let orders = line.dismiss();
        let mut dismissed = Vec::new();
        for order in orders {
            let Some(job) = self.jobs.get_mut(&order) else {
                continue;
            };
            let recipients = job.waiting.remove(&id).unwrap_or_default();
            dismissed.push(Dismissed {
                queue_id: job.queue_id.clone(),
                recipients: recipients.into(),
            });
            if job.waiting.is_empty() {
                self.jobs.remove(&order);
            }
        }
        self.list(id);
        dismissed
    }

    /// Takes a message's recipients out of all lines; how many there were.
    pub(super) fn dismiss_message(&mut self, order: Order) -> usize {
        let Some(job) = self.jobs.remove(&order) else {
            return 0;
        };
        let mut count = 0;
        for (id, recipients) in job.waiting {
            count += recipients.len();
            if let Some(line) = self.lines.get_mut(&id) {
                line.leave(order);
            }
            self.list(id);
            self.forget_if_idle(id);
        }
        count
    }

    /// Forgets that destinations are dead.
    pub(super) fn revive(&mut self) {
        let ids: Vec<LineId> = self.lines.keys().copied().collect();
        for id in ids {
            if let Some(line) = self.lines.get_mut(&id) {
                line.dead_until_micros = None;
            }
            self.list(id);
            self.forget_if_idle(id);
        }
    }
}

/// Lists a line as it is now; one that was not listed comes behind the other lines of its oldest message.
fn list(
    lines: &mut HashMap<LineId, Line>,
    oldest: &mut BTreeSet<(Order, u64, LineId)>,
    smallest: &mut BTreeSet<((Size, Order), u64, LineId)>,
    (id, turn): (LineId, u64),
) {
    let Some(line) = lines.get_mut(&id) else {
        return;
    };
    let mut keys = line.keys(turn);
    if let Some(before) = line.listed {
        oldest.remove(&(before.oldest, before.turn, id));
        smallest.remove(&(before.smallest, before.turn, id));
        // Others in the line do not cost its oldest message the turn.
        if let Some(keys) = keys.as_mut().filter(|keys| keys.oldest == before.oldest) {
            keys.turn = before.turn;
        }
    }
    line.listed = keys;
    if let Some(Listed {
        oldest: order,
        smallest: small,
        turn,
    }) = keys
    {
        oldest.insert((order, turn, id));
        smallest.insert((small, turn, id));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(next_hop: &str) -> Destination {
        Destination::new("local", next_hop)
    }

    /// Lets a mailing of `large` attempts and small messages in; the order in which messages begin attempts.
    fn order(overtaking: Overtaking, large: u32, small: &[u32]) -> Vec<u64> {
        let limits = TransportLimits {
            recipient_limit: 1,
            initial: 1000,
            limit: 1000,
            total: 100_000,
            overtaking,
            ..TransportLimits::default()
        };
        let mut transport = Transport::new("local".to_owned(), limits);
        let id = QueueId::parse("ABCDEF").unwrap_or_else(|| QueueId::short(0, 0));
        for (order, size) in (0u64..).zip([large].iter().chain(small)) {
            let lines = (0..*size).map(|r| {
                (
                    transport.line_to(&to(&format!("{order}.{r}"))),
                    VecDeque::from([r]),
                )
            });
            let lines = lines.collect::<Vec<_>>();
            transport.join((order, &id), *size as usize, lines);
        }
        let mut begun = Vec::new();
        while let Some(next) = transport.next() {
            let hop = &transport.lines[&next.line].destination.next_hop;
            begun.push(hop.split('.').next().and_then(|o| o.parse().ok()).unwrap_or(99));
        }
        begun
    }

    fn postfix() -> Overtaking {
        TransportLimits::default().overtaking
    }

    #[test]
    fn single_letters_overtake_a_mailing_at_its_cost() {
        let begun = order(postfix(), 1000, &[1; 40]);
        let at = |n: u64| begun.iter().position(|o| *o == n).unwrap_or(usize::MAX);
        assert_eq!(&begun[..3], [1, 2, 3], "what is lent at the start");
        for n in 1..=40 {
            let n = usize::try_from(n).unwrap_or(0);
            assert!(
                at(n as u64) < 6 * n,
                "letter {n} waits for {} attempts",
                at(n as u64)
            );
        }
        let mailing = begun.iter().rposition(|o| *o == 0).unwrap_or(0);
        assert_eq!(mailing + 1, 1040);
        let first_300 = begun[..300].iter().filter(|o| **o == 0).count();
        assert!(first_300 >= 240, "the mailing goes on: {first_300} of 300");
    }

    #[test]
    fn small_ones_that_do_not_fit_wait() {
        let begun = order(postfix(), 100, &[12, 1]);
        assert_eq!(begun[0], 2, "the letter first");
        let twelve = begun.iter().position(|o| *o == 1).unwrap_or(0);
        assert!(
            (5..40).contains(&twelve),
            "not before slots were earned: {twelve}"
        );
        let last = begun.iter().rposition(|o| *o == 1).unwrap_or(0);
        assert!(last < 90, "but before the end of the mailing: {last}");
    }

    #[test]
    fn overtaking_can_be_off_and_is_not_worth_it_for_a_few() {
        let off = Overtaking { cost: 0, ..postfix() };
        let begun = order(off, 50, &[1]);
        assert_eq!(begun[50], 1);
        let begun = order(postfix(), 14, &[1]);
        assert_eq!(begun[14], 1, "fourteen attempts never earn three slots");
        let begun = order(postfix(), 15, &[1]);
        assert_eq!(begun[0], 1);
    }

    #[test]
    fn nothing_is_left_behind() {
        let limits = TransportLimits::default();
        let mut transport = Transport::new("smtp".to_owned(), limits);
        let id = QueueId::short(0, 0);
        let line = transport.line_to(&to("host"));
        transport.join((1, &id), 1, vec![(line, VecDeque::from([0, 1]))]);
        assert_eq!(transport.dismiss_message(1), 2);
        assert!(transport.lines.is_empty() && transport.by_destination.is_empty());
        assert!(transport.oldest.is_empty() && transport.smallest.is_empty() && transport.jobs.is_empty());
    }
}
