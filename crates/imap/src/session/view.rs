//! What a session knows of the selected mailbox: sequence numbers, flags, and what it owes the client.

use mailbox::rights::Rights;
use mailbox::store::{Changes, MailboxId, MessageState, Opened};
use mailbox::{Keyword, MailboxName, ModSeq, SystemFlags, Uid, UidSet, UidValidity};

use crate::extensions::context::Context;
use crate::extensions::notify::Interest;
use crate::wire::encode;

/// A message as the session knows it.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) state: MessageState,
    /// Whether this session was the first to be told of it.
    pub(crate) recent: bool,
    /// It changed and the client has not been told.
    pub(crate) dirty: bool,
    /// Of what changed, the client knows the flags: it asked for them in silence.
    pub(crate) flags_known: bool,
}

/// The selected mailbox.
#[derive(Debug)]
pub(crate) struct View {
    pub(crate) id: MailboxId,
    /// What the mailbox is called for good.
    pub(crate) object_id: u64,
    pub(crate) name: MailboxName,
    pub(crate) uid_validity: UidValidity,
    pub(crate) uid_next: Uid,
    pub(crate) read_only: bool,
    /// What the user may do: which flags can be changed.
    pub(crate) rights: Rights,
    /// Ask the store for what is newer than this.
    pub(crate) modseq: ModSeq,
    /// Ascending by UID; the sequence number is the index + 1.
    pub(crate) rows: Vec<Row>,
    /// Gone from the store, still in `rows`: the client may not be told yet.
    pub(crate) gone: UidSet,
    /// Keywords that FLAGS has named.
    pub(crate) keywords: Vec<Keyword>,
    keywords_grew: bool,
    /// What `$` stands for (RFC 5182).
    pub(crate) saved: UidSet,
    /// The searches whose results are kept up to date (RFC 5267).
    pub(crate) contexts: Vec<Context>,
    /// Messages that came or changed since the contexts were looked at; nothing while there are none.
    pub(crate) touched: UidSet,
    /// Some row is dirty.
    any_dirty: bool,
    /// How many rows are recent.
    recent: usize,
    exists_told: usize,
    recent_told: usize,
    /// Of the rows that were told, those from here on are new to those who want to hear more of new messages.
    new_from: usize,
    /// The newest modseq that the client was told.
    pub(crate) modseq_told: ModSeq,
    /// In a read-only mailbox: how many messages nobody has claimed.
    pub(crate) unclaimed: usize,
    /// The client itself expunged: that is told even to one who wants to hear of nothing.
    own_expunge: bool,
}

impl View {
    pub(crate) fn new(opened: Opened, name: MailboxName, read_only: bool, changes: Changes) -> View {
        let mut view = View {
            id: opened.id,
            object_id: opened.object_id,
            name,
            uid_validity: changes.uid_validity,
            uid_next: changes.uid_next,
            read_only,
            rights: Rights::ALL,
            modseq: changes.highest_modseq,
            rows: Vec::new(),
            gone: UidSet::new(),
            keywords: Vec::new(),
            keywords_grew: false,
            saved: UidSet::new(),
            contexts: Vec::new(),
            touched: UidSet::new(),
            any_dirty: false,
            recent: 0,
            exists_told: 0,
            recent_told: 0,
            new_from: 0,
            own_expunge: false,
            modseq_told: 0,
            unclaimed: 0,
        };
        view.rows.reserve_exact(changes.messages.len());
        for state in changes.messages {
            view.learn_keywords(&state);
            view.rows.push(Row {
                state,
                recent: false,
                dirty: false,
                flags_known: true,
            });
        }
        view
    }

    /// Keeps what a search was to save; nothing if it failed.
    pub(crate) fn save(&mut self, saved: Option<UidSet>, succeeded: bool) {
        if let Some(saved) = saved {
            self.saved = if succeeded { saved } else { UidSet::new() };
        }
    }

    /// The index of a UID.
    pub(crate) fn index_of(&self, uid: Uid) -> Option<usize> {
        self.rows.binary_search_by_key(&uid, |row| row.state.uid).ok()
    }

    pub(crate) fn recent_count(&self) -> usize {
        match self.read_only {
            true => self.unclaimed,
            false => self.recent,
        }
    }

    pub(crate) fn claim(&mut self, recent: &UidSet) {
        if !recent.is_empty() {
            for row in &mut self.rows {
                row.recent |= recent.contains(row.state.uid);
            }
            self.recent = self.rows.iter().filter(|row| row.recent).count();
        }
    }

    /// Takes one message's state; `quiet` when the client knows it already. Rows that are new are appended.
    pub(crate) fn learn(&mut self, state: MessageState, quiet: bool, tell_modseq: bool) {
        self.learn_keywords(&state);
        if !self.contexts.is_empty() {
            self.touched.insert(state.uid);
        }
        match self.index_of(state.uid) {
            Some(index) => {
                let row = &mut self.rows[index];
                let has_new_modseq = tell_modseq && row.state.modseq != state.modseq;
                let differs = has_new_modseq || (row.state.flags != state.flags && !quiet);
                row.dirty |= differs;
                row.flags_known &= quiet || !differs;
                self.any_dirty |= row.dirty;
                row.state = state;
            }
            None if self.rows.last().is_none_or(|last| last.state.uid < state.uid) => {
                self.uid_next = self.uid_next.max(state.uid.saturating_add(1));
                self.rows.push(Row {
                    state,
                    recent: false,
                    dirty: false,
                    flags_known: true,
                });
            }
            // A UID below the last one that is no row was expunged before we heard of it.
            None => {}
        }
    }

    /// The rows that were told as new since the last time, as indexes `from..to`.
    pub(crate) fn take_new(&mut self) -> (usize, usize) {
        let new = (self.new_from.min(self.exists_told), self.exists_told);
        self.new_from = self.exists_told;
        new
    }

    /// Takes what the store says has changed; with `Interest::Messages` flags are learnt without being told.
    pub(crate) fn absorb(&mut self, changes: Changes, interest: Interest, tell_modseq: bool) {
        for &(first, last) in changes.expunged.ranges() {
            self.forget(first, last);
        }
        for state in changes.messages {
            let is_told = interest == Interest::Everything;
            self.learn(state, !is_told, tell_modseq && is_told);
        }
        self.modseq = self.modseq.max(changes.highest_modseq);
        self.uid_next = self.uid_next.max(changes.uid_next);
    }

    /// Marks the rows of a range of UIDs as gone.
    fn forget(&mut self, first: Uid, last: Uid) {
        let from = self.rows.partition_point(|row| row.state.uid < first);
        let rows = self.rows[from..].iter().take_while(|row| row.state.uid <= last);
        rows.for_each(|row| self.gone.insert(row.state.uid));
    }

    /// Marks UIDs as gone, by a command of the client.
    pub(crate) fn forget_all(&mut self, uids: &UidSet) {
        self.own_expunge = true;
        for &(first, last) in uids.ranges() {
            self.forget(first, last);
        }
    }

    fn learn_keywords(&mut self, state: &MessageState) {
        for keyword in &state.flags.keywords {
            if !self.keywords.contains(keyword) {
                self.keywords.push(keyword.clone());
                self.keywords_grew = true;
            }
        }
    }

    /// Writes `* FLAGS` and PERMANENTFLAGS.
    pub(crate) fn tell_flag_lists(&mut self, out: &mut Vec<u8>) {
        self.keywords_grew = false;
        out.extend_from_slice(b"* FLAGS (");
        self.push_flag_names(out);
        out.extend_from_slice(b")\r\n");
        if self.read_only {
            out.extend_from_slice(b"* OK [PERMANENTFLAGS ()] Read-only mailbox.\r\n");
        } else {
            out.extend_from_slice(b"* OK [PERMANENTFLAGS (");
            self.push_permanent(out);
            out.extend_from_slice(b")] Flags permitted.\r\n");
        }
    }

    /// Whether there are messages to expunge, and the user has not the right to it.
    pub(crate) fn may_not_expunge(&self) -> bool {
        let is_deleted = |row: &Row| row.state.flags.system.contains(SystemFlags::DELETED);
        !self.rights.has(b'e') && self.rows.iter().any(is_deleted)
    }

    /// The flags that can be changed, and `\*` where any keyword can be set.
    fn push_permanent(&self, out: &mut Vec<u8>) {
        if self.rights.has(b'w') && self.rights.has(b's') && self.rights.has(b't') {
            self.push_flag_names(out);
            out.extend_from_slice(b" \\*");
            return;
        }
        let may = |flag| match flag {
            SystemFlags::SEEN => self.rights.has(b's'),
            SystemFlags::DELETED => self.rights.has(b't'),
            _ => self.rights.has(b'w'),
        };
        let system = SystemFlags::ALL.iter().filter(|(flag, _)| may(*flag));
        let mut names: Vec<&str> = system.map(|(_, name)| *name).collect();
        if self.rights.has(b'w') {
            names.extend(self.keywords.iter().map(Keyword::as_str));
            names.push("\\*");
        }
        out.extend_from_slice(names.join(" ").as_bytes());
    }

    fn push_flag_names(&self, out: &mut Vec<u8>) {
        for (index, (_, name)) in SystemFlags::ALL.iter().enumerate() {
            if index > 0 {
                out.push(b' ');
            }
            out.extend_from_slice(name.as_bytes());
        }
        for keyword in &self.keywords {
            out.push(b' ');
            out.extend_from_slice(keyword.as_str().as_bytes());
        }
    }

    /// Writes EXISTS and RECENT, at SELECT.
    pub(crate) fn tell_counts(&mut self, out: &mut Vec<u8>, recent: usize) {
        self.exists_told = self.rows.len();
        self.new_from = self.rows.len();
        self.recent_told = recent;
        count_line(out, self.exists_told, "EXISTS");
        count_line(out, recent, "RECENT");
    }

    /// Writes everything the client has not been told: EXPUNGE when that is allowed now, changed flags, EXISTS
    /// and RECENT when they changed. With `Interest::Own`, only what the client did.
    pub(crate) fn tell(&mut self, out: &mut Vec<u8>, telling: Telling) {
        let own_only = telling.interest == Interest::Own;
        let own_expunge = std::mem::take(&mut self.own_expunge);
        if self.keywords_grew {
            self.tell_flag_lists(out);
        }
        if std::mem::take(&mut self.any_dirty) {
            for (index, row) in self.rows.iter_mut().enumerate() {
                if row.dirty && !self.gone.contains(row.state.uid) {
                    tell_flags(out, index, row, telling);
                    if telling.modseqs {
                        self.modseq_told = self.modseq_told.max(row.state.modseq);
                    }
                    (row.dirty, row.flags_known) = (false, true);
                }
            }
        }
        // As Dovecot does, behind the flags: their numbers are those from before.
        let told = telling.expunges && (own_expunge || !own_only);
        if told {
            self.tell_expunges(out, telling.vanished);
        }
        if self.rows.len() != self.exists_told && !own_only {
            self.exists_told = self.rows.len();
            count_line(out, self.exists_told, "EXISTS");
        }
        let recent = self.recent_count();
        if recent != self.recent_told && !own_only {
            self.recent_told = recent;
            count_line(out, recent, "RECENT");
        }
    }

    /// The mailbox's modseq, if the client knows everything up to it and has not been told so (RFC 7162 §3.2.5).
    pub(crate) fn untold_modseq(&self) -> Option<ModSeq> {
        (self.gone.is_empty() && self.modseq > self.modseq_told).then_some(self.modseq)
    }

    /// Highest first, so that no number shifts under another; or by one VANISHED.
    fn tell_expunges(&mut self, out: &mut Vec<u8>, vanished: bool) {
        if self.gone.is_empty() {
            return;
        }
        let gone = std::mem::take(&mut self.gone);
        let mut uids = UidSet::new();
        for index in (0..self.rows.len()).rev() {
            if gone.contains(self.rows[index].state.uid) {
                // A message the client was never told of needs no EXPUNGE.
                if index < self.exists_told {
                    self.exists_told -= 1;
                    self.new_from -= usize::from(index < self.new_from);
                    match vanished {
                        true => uids.insert(self.rows[index].state.uid),
                        false => count_line(out, index + 1, "EXPUNGE"),
                    }
                }
            }
        }
        if !uids.is_empty() {
            out.extend_from_slice(format!("* VANISHED {uids}\r\n").as_bytes());
        }
        self.rows.retain(|row| !gone.contains(row.state.uid));
        self.recent = self.rows.iter().filter(|row| row.recent).count();
    }
}

/// How changes are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Telling {
    /// EXPUNGE may be sent (not while FETCH, STORE or SEARCH by sequence number is answered).
    pub(crate) expunges: bool,
    /// By VANISHED (QRESYNC is on).
    pub(crate) vanished: bool,
    /// What the client wants to hear at all.
    pub(crate) interest: Interest,
    /// Untagged FETCH names the UID (in answer to UID commands).
    pub(crate) uids: bool,
    /// Untagged FETCH names the modseq (CONDSTORE is on).
    pub(crate) modseqs: bool,
}

/// Writes `* n WORD`.
pub(crate) fn count_line(out: &mut Vec<u8>, count: usize, word: &str) {
    out.extend_from_slice(b"* ");
    encode::number(out, count as u64);
    out.push(b' ');
    out.extend_from_slice(word.as_bytes());
    out.extend_from_slice(b"\r\n");
}

fn tell_flags(out: &mut Vec<u8>, index: usize, row: &Row, telling: Telling) {
    out.extend_from_slice(b"* ");
    encode::number(out, index as u64 + 1);
    out.extend_from_slice(b" FETCH (");
    if telling.uids {
        out.extend_from_slice(b"UID ");
        encode::number(out, u64::from(row.state.uid));
        out.push(b' ');
    }
    if telling.modseqs {
        push_modseq(out, row.state.modseq);
    }
    if !(telling.modseqs && row.flags_known) {
        if telling.modseqs {
            out.push(b' ');
        }
        push_flags(out, row);
    }
    out.extend_from_slice(b")\r\n");
}

/// Writes `MODSEQ (n)`.
pub(crate) fn push_modseq(out: &mut Vec<u8>, modseq: ModSeq) {
    out.extend_from_slice(b"MODSEQ (");
    encode::number(out, modseq);
    out.push(b')');
}

/// Writes `FLAGS (…)` in Dovecot's order: system flags, `\Recent`, keywords.
pub(crate) fn push_flags(out: &mut Vec<u8>, row: &Row) {
    out.extend_from_slice(b"FLAGS (");
    let start = out.len();
    for (flag, name) in SystemFlags::ALL {
        if row.state.flags.system.contains(flag) {
            out.extend_from_slice(name.as_bytes());
            out.push(b' ');
        }
    }
    if row.recent {
        out.extend_from_slice(b"\\Recent ");
    }
    for keyword in &row.state.flags.keywords {
        out.extend_from_slice(keyword.as_str().as_bytes());
        out.push(b' ');
    }
    if out.len() > start {
        out.pop();
    }
    out.push(b')');
}
