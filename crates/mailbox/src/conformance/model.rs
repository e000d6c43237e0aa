//! The model test: random operations against a store and the in-memory store, compared after each.

use std::collections::BTreeMap;

use super::{Subject, all, content, flags, letter, name, ordered, put};
use crate::memory::MemoryStore;
use crate::{
    FlagChange, Flags, MailboxId, MailboxName, MessageState, ModSeq, Store, SystemFlags, Uid, UidSet,
};

/// A small generator of numbers: the same seed, the same test.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % sides
    }
}

/// One mailbox in both stores. UIDs may differ between the two; `known` pairs them.
struct Pair {
    name: &'static str,
    real: MailboxId,
    model: MailboxId,
    /// Model UID to real UID.
    known: BTreeMap<Uid, Uid>,
    /// What the real store said before, and the modseq to ask from.
    told: BTreeMap<Uid, MessageState>,
    since: ModSeq,
}

struct Run<'a> {
    subject: &'a mut dyn Subject,
    store: Box<dyn Store>,
    model: MemoryStore,
    pairs: Vec<Pair>,
    dice: Dice,
    written: u64,
}

/// Runs `steps` random operations by `seed` on a fresh account and on the in-memory store. A panic tells the
/// seed and the step.
pub fn model(subject: &mut dyn Subject, seed: u64, steps: u32) {
    let store = subject.fresh();
    let model = MemoryStore::new();
    let mut pairs = Vec::new();
    for mailbox in ["INBOX", "Other", "Third"] {
        let open = |store: &dyn Store| {
            let name = if mailbox == "INBOX" {
                MailboxName::inbox()
            } else {
                name(store, &[mailbox])
            };
            if !name.is_inbox() {
                store.create(&name, None).expect("a mailbox can be created");
            }
            store.open(&name).expect("it can be opened").id
        };
        pairs.push(Pair {
            name: mailbox,
            real: open(&*store),
            model: open(&model),
            known: BTreeMap::new(),
            told: BTreeMap::new(),
            since: 0,
        });
    }
    let mut run = Run {
        subject,
        store,
        model,
        pairs,
        dice: Dice(seed),
        written: 0,
    };
    for step in 0..steps {
        let what = run.step();
        for at in 0..run.pairs.len() {
            run.compare(at, &format!("seed {seed}, step {step} ({what})"));
        }
    }
    for at in 0..run.pairs.len() {
        run.compare_contents(at, &format!("seed {seed}, at the end"));
    }
}

impl Run<'_> {
    fn step(&mut self) -> String {
        let at = self.dice.roll(self.pairs.len() as u64) as usize;
        let to = self.dice.roll(self.pairs.len() as u64) as usize;
        let what = match self.dice.roll(12) {
            0..=3 => self.append(at),
            4..=6 => self.change_flags(at),
            7 => self.expunge(at),
            8 => self.transfer(at, to, false),
            9 => self.transfer(at, to, true),
            10 => self.claim_recent(at),
            _ => self.reopen(),
        };
        format!("{what} {} → {}", self.pairs[at].name, self.pairs[to].name)
    }

    fn append(&mut self, at: usize) -> &'static str {
        self.written += 1;
        let lines = self.dice.roll(5) as usize;
        let text = letter(
            &format!("number {}", self.written),
            &"some text\r\n".repeat(lines),
        );
        let flags = self.some_flags();
        let pair = &mut self.pairs[at];
        let uid = put(&self.model, &pair.model, &text, flags.clone());
        pair.known
            .insert(uid, put(&*self.store, &pair.real, &text, flags));
        "append"
    }

    fn some_flags(&mut self) -> Flags {
        let system = SystemFlags(self.dice.roll(32) as u8);
        let keywords = ["red", "Green", "$Forwarded"];
        let count = self.dice.roll(4) as usize;
        flags(system, &keywords[..count])
    }

    /// About half of the messages: as UIDs of the model and of the store.
    fn some_uids(&mut self, at: usize) -> (UidSet, UidSet) {
        let (mut model, mut real) = (UidSet::new(), UidSet::new());
        for (&a, &b) in &self.pairs[at].known {
            if self.dice.roll(2) == 0 {
                model.insert(a);
                real.insert(b);
            }
        }
        (model, real)
    }

    fn change_flags(&mut self, at: usize) -> &'static str {
        let (model_uids, real_uids) = self.some_uids(at);
        let flags = self.some_flags();
        let change = match self.dice.roll(3) {
            0 => FlagChange::Set(flags),
            1 => FlagChange::Add(flags),
            _ => FlagChange::Remove(flags),
        };
        let pair = &self.pairs[at];
        let by_model = self
            .model
            .store_flags(&pair.model, &model_uids, &change, None)
            .expect("the model stores");
        let by_store = self
            .store
            .store_flags(&pair.real, &real_uids, &change, None)
            .expect("flags can be stored");
        assert_eq!(
            by_store.messages.len(),
            by_model.messages.len(),
            "as many messages are told"
        );
        for (a, b) in by_model.messages.iter().zip(&by_store.messages) {
            assert_eq!(
                ordered(&a.flags),
                ordered(&b.flags),
                "store_flags tells the flags now"
            );
        }
        "store"
    }

    fn expunge(&mut self, at: usize) -> &'static str {
        let (model_uids, real_uids) = self.some_uids(at);
        let pair = &mut self.pairs[at];
        let by_model = self
            .model
            .expunge(&pair.model, &model_uids)
            .expect("the model expunges");
        let by_store = self
            .store
            .expunge(&pair.real, &real_uids)
            .expect("messages can be expunged");
        let expected: UidSet = by_model.iter().map(|uid| pair.known[&uid]).collect();
        assert_eq!(by_store, expected, "the same messages are expunged");
        pair.known.retain(|uid, _| !by_model.contains(*uid));
        "expunge"
    }

    fn transfer(&mut self, at: usize, to: usize, remove: bool) -> &'static str {
        let (model_uids, real_uids) = self.some_uids(at);
        let (from, into) = (&self.pairs[at], &self.pairs[to]);
        let (by_model, by_store) = if remove {
            (
                self.model
                    .move_messages(&from.model, &model_uids, &into.model)
                    .expect("the model moves"),
                self.store
                    .move_messages(&from.real, &real_uids, &into.real)
                    .expect("messages can be moved"),
            )
        } else {
            (
                self.model
                    .copy(&from.model, &model_uids, &into.model)
                    .expect("the model copies"),
                self.store
                    .copy(&from.real, &real_uids, &into.real)
                    .expect("messages can be copied"),
            )
        };
        assert_eq!(
            by_store.pairs.len(),
            by_model.pairs.len(),
            "as many messages arrive"
        );
        for (&(old, new), &(real_old, real_new)) in by_model.pairs.iter().zip(&by_store.pairs) {
            assert_eq!(self.pairs[at].known[&old], real_old, "in the same order");
            if remove {
                self.pairs[at].known.remove(&old);
            }
            self.pairs[to].known.insert(new, real_new);
        }
        if remove { "move" } else { "copy" }
    }

    fn claim_recent(&mut self, at: usize) -> &'static str {
        let pair = &self.pairs[at];
        let by_model = self.model.claim_recent(&pair.model).expect("the model claims");
        let by_store = self
            .store
            .claim_recent(&pair.real)
            .expect("recent messages can be claimed");
        let expected: UidSet = by_model.iter().map(|uid| pair.known[&uid]).collect();
        assert_eq!(by_store, expected, "the same messages are recent");
        "claim"
    }

    fn reopen(&mut self) -> &'static str {
        self.store = self.subject.reopen();
        for pair in &mut self.pairs {
            let name = if pair.name == "INBOX" {
                MailboxName::inbox()
            } else {
                name(&*self.store, &[pair.name])
            };
            pair.real = self.store.open(&name).expect("a mailbox can be opened again").id;
        }
        "reopen"
    }

    /// The store's listing is the model's, and its changes since the last comparison tell exactly what moved.
    fn compare(&mut self, at: usize, when: &str) {
        let pair = &mut self.pairs[at];
        let expected = all(&self.model, &pair.model);
        let got = all(&*self.store, &pair.real);
        assert_eq!(
            got.len(),
            expected.len(),
            "{}: as many messages, {when}",
            pair.name
        );
        for (a, b) in expected.iter().zip(&got) {
            assert_eq!(
                pair.known.get(&a.uid),
                Some(&b.uid),
                "{}: the same UIDs, {when}",
                pair.name
            );
            assert_eq!(
                ordered(&a.flags),
                ordered(&b.flags),
                "{}: UID {}: flags, {when}",
                pair.name,
                b.uid
            );
            let (a, b) = (
                (a.size_bytes, a.internal_date_secs),
                (b.size_bytes, b.internal_date_secs),
            );
            assert_eq!(a, b, "{}: size and date, {when}", pair.name);
        }
        let (a, b) = (
            self.model.status(&pair.model).expect("the model"),
            self.store.status(&pair.real),
        );
        let b = b.expect("a status");
        assert_eq!(
            (b.messages, b.recent, b.unseen, b.deleted, b.size_bytes),
            (a.messages, a.recent, a.unseen, a.deleted, a.size_bytes),
            "{}: messages, recent, unseen, deleted, size, {when}",
            pair.name
        );
        let changes = self.store.changes(&pair.real, pair.since).expect("changes");
        let mut told = std::mem::take(&mut pair.told);
        for message in changes.messages {
            assert!(
                message.modseq > pair.since,
                "{}: only newer messages are told, {when}",
                pair.name
            );
            told.insert(message.uid, message);
        }
        told.retain(|uid, _| !changes.expunged.contains(*uid));
        assert!(
            told.values().eq(got.iter()),
            "{}: changes add up to the listing, {when}",
            pair.name
        );
        pair.told = told;
        pair.since = changes.highest_modseq;
    }

    fn compare_contents(&self, at: usize, when: &str) {
        let pair = &self.pairs[at];
        for (&model_uid, &uid) in &pair.known {
            let expected = content(&self.model, &pair.model, model_uid);
            assert_eq!(
                content(&*self.store, &pair.real, uid),
                expected,
                "{}: UID {uid}, {when}",
                pair.name
            );
        }
    }
}
