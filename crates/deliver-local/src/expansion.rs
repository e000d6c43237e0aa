//! Aliases of one recipient, expanded until only leaves are left: users of this host, addresses elsewhere, commands and
//! files (aliases(5)). Files are not read here: `:include:` is a task for an agent.

use std::collections::HashSet;
use std::path::Path;

use address::Address;
use envelope::{Outcome, StatusCode};
use settings::{Postfix, TableRef};
use tables::Tables;
use tables::aliases::{self, Target};

use crate::delivered_to::Been;
use crate::dotforward::restricted;
use crate::outcomes::{bounced, deferred, misconfigured};
use crate::task::{Agents, Facts, Kind, Rights, Task, Work};
use crate::{Content, Directory, facts_of};

/// How deep aliases may name aliases: as deep as local(8) follows them.
pub const DEPTH_MAX: usize = 25;
/// How many targets one recipient may expand to.
pub const TARGETS_MAX: usize = 10_000;

/// What a recipient stands for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Expansion {
    /// Each once.
    pub leaves: Vec<Leaf>,
    /// For the log.
    pub warnings: Vec<String>,
    /// The address is an alias; of which kind.
    pub alias: Option<AliasKind>,
}

/// Who answers for those for whom an alias stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AliasKind {
    /// The sender, as before.
    Plain,
    /// The owner (`owner-NAME`): for the sender the message has arrived.
    Owned,
}

/// One end of an expansion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaf {
    /// What it is.
    pub end: End,
    /// The address whose expansion named it: that of the user, or the alias of a command.
    pub at: Address,
    /// The owner of the list that it is on.
    pub owner: Option<Owner>,
}

/// What a leaf is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// A user of this host: `.forward`, then the mailbox.
    User(String),
    /// A user's mailbox (`\name`).
    Mailbox(String),
    /// An address elsewhere, or of this host and to be queued anew.
    Address(Address),
    /// A command of an alias.
    Command(String, Actor),
    /// A file of an alias.
    File(std::path::PathBuf, Actor),
    /// Nothing that could be delivered to: what was named, and what becomes of it.
    Failed(String, Outcome),
}

/// With whose rights, and with which shell, an alias's commands and files are done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// The rights.
    pub rights: Rights,
    /// The login shell.
    pub shell: Option<std::path::PathBuf>,
    /// The include file whose owner it is: what the file names is for that user's agent to find there.
    pub list: Option<std::path::PathBuf>,
}

/// Whoever answers for a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// The name in whose stead mail is not queued anew.
    pub name: String,
    /// The return path of mail to the list (`owner-NAME`); `None` leaves it as it is.
    pub sender: Option<Address>,
}

impl Leaf {
    /// What it is called when it must be found again ([`crate::task::digest`]).
    pub(crate) fn name(&self) -> String {
        match &self.end {
            End::User(name) => name.clone(),
            End::Mailbox(name) => format!("\\{name}"),
            End::Address(address) => address.to_string(),
            End::Command(text, actor) => format!("|{text} {}", actor.rights.uid),
            End::File(path, actor) => format!("{} {}", path.display(), actor.rights.uid),
            End::Failed(text, _) => format!("!{text}"),
        }
    }
}

/// Where an expansion is.
#[derive(Debug, Default)]
struct Way {
    /// The aliases that are being followed, the first one first.
    above: Vec<String>,
    /// All names that were looked up, each with how deep that was.
    seen: HashSet<(usize, String)>,
    /// The include files that were read.
    lists: HashSet<std::path::PathBuf>,
    /// Whether the list at hand is an include file: local(8) queues its addresses anew.
    is_included: bool,
    /// The names of the leaves so far.
    known: HashSet<String>,
    owner: Option<Owner>,
}

/// What expanding needs.
pub(crate) struct Expander<'a> {
    pub(crate) aliases: &'a Tables,
    pub(crate) directory: &'a dyn Directory,
    pub(crate) settings: &'a Postfix,
    /// Who reads include files, and the message it is for.
    pub(crate) agents: (&'a dyn Agents, &'a dyn Content),
    /// What is known of the message.
    pub(crate) facts: &'a Facts,
    /// Where the message has been: its `Delivered-To:` fields.
    pub(crate) been: &'a Been,
}

/// An alias that was found.
struct Alias<'a> {
    name: String,
    targets: Vec<Target>,
    /// The extension of the address, which the alias does not have.
    extension: Option<String>,
    /// Where.
    table: &'a TableRef,
}

/// A list of targets and where it stands.
struct List<'a> {
    targets: Vec<Target>,
    /// `None` where nobody need act.
    actor: Option<&'a Actor>,
    /// `alias` or `include`, as `allow_mail_to_commands` says.
    source: &'static str,
    /// An extension that goes along to the addresses of the list.
    extension: Option<&'a str>,
}

impl Expander<'_> {
    /// Expands `address`, which is of this host. `owner` is whose `.forward` names it, if it comes from there.
    ///
    /// # Errors
    /// The outcome of the whole recipient.
    pub(crate) fn expand(&self, address: &Address, owner: Option<Owner>) -> Result<Expansion, Outcome> {
        let mut expansion = Expansion::default();
        let mut way = Way {
            owner,
            ..Way::default()
        };
        self.follow(address, &mut way, &mut expansion)?;
        Ok(expansion)
    }

    fn follow(&self, address: &Address, way: &mut Way, expansion: &mut Expansion) -> Result<(), Outcome> {
        if way.seen.len() > TARGETS_MAX || way.known.len() > TARGETS_MAX {
            let text = format!("alias expansion of {address} is too wide");
            return Err(bounced(StatusCode::permanent(4, 6), text));
        }
        let name = address.local().to_lowercase();
        if let Some(user) = name.strip_prefix('\\') {
            let end = End::Mailbox(user.to_owned());
            add(end, &address.at(address.domain().cloned()), way, expansion);
            return Ok(());
        }
        if !way.seen.insert((way.above.len(), name.clone())) {
            return Ok(());
        }
        let full = self.qualified(address).to_string();
        if !way.above.is_empty() && self.been.at(&full) {
            let outcome = crate::outcomes::looped(&full);
            add(End::Failed(full, outcome), address, way, expansion);
            return Ok(());
        }
        if way.above.last() == Some(&name) {
            // `alice: alice, bob`: the user of that name.
            self.add_user(address, way, expansion);
            return Ok(());
        }
        if way.above.len() >= DEPTH_MAX {
            let text = format!("alias database loop for {name}");
            expansion.warnings.push(text.clone());
            let outcome = bounced(StatusCode::permanent(4, 6), text.clone());
            add(End::Failed(text, outcome), address, way, expansion);
            return Ok(());
        }
        match self.targets(address)? {
            Some(alias) => self.follow_alias(alias, (address, name), way, expansion),
            None => {
                self.add_user(address, way, expansion);
                Ok(())
            }
        }
    }

    fn follow_alias(
        &self,
        alias: Alias<'_>,
        (address, name): (&Address, String),
        way: &mut Way,
        expansion: &mut Expansion,
    ) -> Result<(), Outcome> {
        let acts =
            |target: &Target| matches!(target, Target::Command(_) | Target::File(_) | Target::Include(_));
        let actor = match alias.targets.iter().any(acts) {
            true => Some(self.actor_of_table(alias.table)?),
            false => None,
        };
        let (outer, was_included) = (way.owner.clone(), way.is_included);
        self.find_owner(&alias.name, way)?;
        let kind = match &way.owner {
            Some(owner) if owner.sender.is_some() => AliasKind::Owned,
            _ => AliasKind::Plain,
        };
        // The outermost one is what the sender named.
        expansion.alias.get_or_insert(kind);
        way.above.push(name);
        way.is_included = false;
        let extension = alias.extension.filter(|_| self.propagates("alias"));
        let list = List {
            targets: alias.targets,
            actor: actor.as_ref(),
            source: "alias",
            extension: extension.as_deref(),
        };
        let followed = self.follow_list(list, address, way, expansion);
        way.above.pop();
        way.is_included = was_included;
        way.owner = outer;
        followed
    }

    /// Whether an extension goes along to what such a list names (`propagate_unmatched_extensions`).
    fn propagates(&self, source: &str) -> bool {
        let words = &self.settings.propagate_unmatched_extensions;
        words.iter().any(|word| word.eq_ignore_ascii_case(source))
    }

    fn follow_list(
        &self,
        list: List<'_>,
        at: &Address,
        way: &mut Way,
        expansion: &mut Expansion,
    ) -> Result<(), Outcome> {
        let settings = self.settings;
        for target in list.targets {
            let end = match (target, list.actor) {
                (Target::Address(text), _) => {
                    self.follow_address((&text, list.extension), way, expansion)?;
                    continue;
                }
                (Target::Include(path), Some(actor)) => {
                    self.follow_include((&path, list.extension), (actor, at), way, expansion)?;
                    continue;
                }
                (Target::Mailbox(user), _) => {
                    let address = Address::new(&user, None);
                    add(End::Mailbox(user.to_lowercase()), &address, way, expansion);
                    continue;
                }
                (Target::Command(text), Some(actor)) => {
                    match restricted(&settings.allow_mail_to_commands, list.source, "command") {
                        Some(outcome) => End::Failed(format!("|{text}"), outcome),
                        None => End::Command(text, actor.clone()),
                    }
                }
                (Target::File(path), Some(actor)) => {
                    match restricted(&settings.allow_mail_to_files, list.source, "file") {
                        Some(outcome) => End::Failed(path.display().to_string(), outcome),
                        None => End::File(path, actor.clone()),
                    }
                }
                (other, None) => End::Failed(format!("{other:?}"), misconfigured()),
            };
            add(end, at, way, expansion);
        }
        Ok(())
    }

    fn follow_address(
        &self,
        (text, extension): (&str, Option<&str>),
        way: &mut Way,
        expansion: &mut Expansion,
    ) -> Result<(), Outcome> {
        let next = Address::parse(text).map_err(|error| {
            deferred(
                StatusCode::temporary(3, 0),
                format!("alias target \"{text}\" is no address: {error}"),
            )
        })?;
        let next = crate::with_extension(next, extension, self.settings);
        if self.is_local(&next)? {
            return self.follow(&next, way, expansion);
        }
        add(End::Address(next.clone()), &next, way, expansion);
        Ok(())
    }

    /// Has an agent read an include file; goes on with the rights of the file's owner.
    fn follow_include(
        &self,
        (path, extension): (&Path, Option<&str>),
        (actor, at): (&Actor, &Address),
        way: &mut Way,
        expansion: &mut Expansion,
    ) -> Result<(), Outcome> {
        if !way.lists.insert(path.to_owned()) {
            return Ok(());
        }
        if !path.is_absolute() {
            let name = format!(":include:{}", path.display());
            expansion.warnings.push(format!("{name} uses a relative path"));
            add(End::Failed(name, misconfigured()), at, way, expansion);
            return Ok(());
        }
        let (rights, work) = self.reader_of(path, actor)?;
        let facts = self.facts.clone();
        let report = self
            .agents
            .0
            .perform(&rights, &Task { facts, work }, self.agents.1);
        expansion.warnings.extend(report.warnings);
        let Some(included) = report.included else {
            if crate::outcomes::is_final(&report.outcome) {
                let name = format!(":include:{}", path.display());
                add(End::Failed(name, report.outcome), at, way, expansion);
                return Ok(());
            }
            // A list whose members are not known now: nobody gets it before it can be read.
            return Err(report.outcome);
        };
        let owner = match included.owner_uid {
            0 => None,
            uid => self.owner(uid)?,
        };
        let (outer, was_included) = (way.owner.clone(), way.is_included);
        let own = owner.map(|user| {
            // The owner of an alias answers for its lists too.
            if outer.is_none() {
                way.owner = Some(Owner {
                    name: user.name.clone(),
                    sender: None,
                });
            }
            Actor::of_include(user, path)
        });
        way.above.push(format!(":include:{}", path.display()));
        way.is_included = true;
        let list = List {
            targets: included.targets,
            actor: own.as_ref().or(Some(actor)),
            source: "include",
            extension: extension.filter(|_| self.propagates("include")),
        };
        let followed = self.follow_list(list, at, way, expansion);
        way.above.pop();
        (way.owner, way.is_included) = (outer, was_included);
        followed
    }

    /// Who reads an include file: whoever has the rights of the list that names it; for a list of root's, which are not given
    /// to anybody, the file's owner.
    fn reader_of(&self, path: &Path, actor: &Actor) -> Result<(Rights, Work), Outcome> {
        let path = path.to_owned();
        let of_user = |rights: Rights| {
            let work = Work::OfInclude {
                path: path.clone(),
                target: None,
            };
            Ok((rights, work))
        };
        if actor.list.is_some() {
            return of_user(actor.rights.clone());
        }
        // The rights of `default_privs` have no name.
        let uid = nearest_owner(&path).filter(|uid| *uid != 0 && actor.rights.user.is_none());
        let owner = match uid {
            Some(uid) => self.owner(uid)?,
            None => None,
        };
        match owner {
            Some(user) => of_user(Actor::of_include(user, &path).rights),
            None => Ok((actor.rights.clone(), Work::Include(path))),
        }
    }

    fn owner(&self, uid: u32) -> Result<Option<crate::User>, Outcome> {
        let found = self.directory.owner(uid);
        found.map_err(|why| deferred(StatusCode::temporary(3, 0), why))
    }

    /// What the alias `user+extension`, else `user`, stands for, as its table has it; `None` where there is no such alias.
    ///
    /// # Errors
    /// The outcome when that cannot be told.
    pub(crate) fn text_of_alias(&self, address: &Address) -> Result<Option<String>, Outcome> {
        let plain = address.strip_extension(&self.settings.recipient_delimiter);
        for form in std::iter::once(address).chain(plain.as_ref().map(|(plain, _)| plain)) {
            if let Some((text, _)) = self.lookup(&form.local().to_lowercase())? {
                return Ok(Some(text));
            }
        }
        Ok(None)
    }

    /// The name and targets of the alias `user+extension`, else of `user`, and the table that has it.
    fn targets(&self, address: &Address) -> Result<Option<Alias<'_>>, Outcome> {
        let plain = address.strip_extension(&self.settings.recipient_delimiter);
        let forms = std::iter::once((address, None));
        let forms = forms.chain(plain.as_ref().map(|(plain, extension)| (plain, Some(*extension))));
        for (form, extension) in forms {
            let name = form.local().to_lowercase();
            let Some((list, table)) = self.lookup(&name)? else {
                continue;
            };
            let targets = match aliases::targets(&list) {
                Ok(targets) => targets,
                // It is told where it is followed.
                Err(aliases::Error::RelativeInclude(path)) => vec![Target::Include(path.into())],
                Err(error) => {
                    let text = format!("alias {name}: {error}");
                    return Err(deferred(StatusCode::temporary(3, 0), text));
                }
            };
            return Ok(Some(Alias {
                name,
                targets,
                extension: extension.map(str::to_owned),
                table,
            }));
        }
        Ok(None)
    }

    fn lookup(&self, name: &str) -> Result<Option<(String, &TableRef)>, Outcome> {
        let found = self.aliases.lookup_with_source(name);
        // Why is told in the log.
        found.map_err(|_| deferred(StatusCode::temporary(3, 0), "alias database unavailable"))
    }

    /// `owner-NAME` (aliases(5)): the return path of mail to a list, so that its owner hears of failures, of reports too.
    fn find_owner(&self, alias: &str, way: &mut Way) -> Result<(), Outcome> {
        let name = format!("owner-{alias}");
        let has_owner = !alias.starts_with("owner-") && !alias.ends_with("-request");
        let found = if has_owner { self.lookup(&name)? } else { None };
        let Some((list, _)) = found else {
            if self.settings.reset_owner_alias {
                way.owner = None;
            }
            return Ok(());
        };
        let named = match aliases::targets(&list).as_deref() {
            Ok([Target::Address(only)]) if self.settings.expand_owner_alias => Address::parse(only).ok(),
            _ => None,
        };
        let address = named.unwrap_or_else(|| Address::new(&name, None));
        let sender = Some(self.qualified(&address));
        way.owner = Some(Owner { name, sender });
        Ok(())
    }

    fn qualified(&self, address: &Address) -> Address {
        crate::qualified(address, self.settings)
    }

    fn is_local(&self, address: &Address) -> Result<bool, Outcome> {
        let Some(domain) = address.domain() else {
            return Ok(true);
        };
        let answer = self.directory.is_local(domain);
        answer.map_err(|why| deferred(StatusCode::temporary(3, 0), why))
    }

    /// A user; one on somebody else's list gets a message of its own.
    fn add_user(&self, address: &Address, way: &mut Way, expansion: &mut Expansion) {
        let facts = facts_of(address, (self.facts, self.settings), self.directory);
        let is_others = way
            .owner
            .as_ref()
            .is_some_and(|owner| !owner.name.eq_ignore_ascii_case(&facts.user));
        let end = if is_others || way.is_included {
            End::Address(self.qualified(address))
        } else {
            End::User(facts.user)
        };
        add(end, address, way, expansion);
    }

    /// As whom a table's commands and files are done: its owner, or `default_privs` when that is root.
    fn actor_of_table(&self, table: &TableRef) -> Result<Actor, Outcome> {
        match tables::files::owner_of(table) {
            None | Some(0) => self.default_actor(),
            Some(uid) => match self.directory.owner(uid) {
                Ok(Some(user)) => Ok(Actor::of(user)),
                Ok(None) => {
                    let text = format!("alias database {table} belongs to uid {uid}, which is no user");
                    Err(deferred(StatusCode::temporary(3, 5), text))
                }
                Err(why) => Err(deferred(StatusCode::temporary(3, 0), why)),
            },
        }
    }

    /// `default_privs`, which has neither name nor home for a command.
    fn default_actor(&self) -> Result<Actor, Outcome> {
        let name = &self.settings.default_privs;
        match self.directory.system_user(name) {
            Ok(Some(user)) if user.uid != 0 => Ok(Actor {
                rights: Rights {
                    uid: user.uid,
                    gid: user.gid,
                    user: None,
                    home: None,
                    kind: Kind::Table,
                },
                shell: None,
                list: None,
            }),
            Ok(Some(_)) => Err(misconfigured_privs(name, "it is root")),
            Ok(None) => Err(misconfigured_privs(name, "there is no such user")),
            Err(why) => Err(deferred(StatusCode::temporary(3, 0), why)),
        }
    }
}

fn misconfigured_privs(name: &str, why: &str) -> Outcome {
    let outcome = misconfigured();
    deferred(
        StatusCode::temporary(3, 5),
        format!("{}: default_privs = {name}: {why}", outcome.text),
    )
}

impl Actor {
    fn of(user: crate::User) -> Actor {
        Actor {
            rights: Rights {
                uid: user.uid,
                gid: user.gid,
                user: Some(user.name),
                home: user.home,
                kind: Kind::Table,
            },
            shell: user.shell,
            list: None,
        }
    }

    /// The owner of an include file: that user's own agent.
    fn of_include(user: crate::User, path: &Path) -> Actor {
        let of_table = Actor::of(user);
        Actor {
            rights: Rights {
                kind: Kind::User,
                ..of_table.rights
            },
            list: Some(path.to_owned()),
            ..of_table
        }
    }
}

/// The owner of a file, or of the first directory above it that can be looked at.
fn nearest_owner(path: &Path) -> Option<u32> {
    use std::os::unix::fs::MetadataExt;
    for part in path.ancestors() {
        match std::fs::metadata(part) {
            Ok(meta) => return Some(meta.uid()),
            Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {}
            Err(_) => return None,
        }
    }
    None
}

fn add(end: End, at: &Address, way: &mut Way, expansion: &mut Expansion) {
    let leaf = Leaf {
        end,
        at: at.clone(),
        owner: way.owner.clone(),
    };
    if way.known.insert(leaf.name()) {
        expansion.leaves.push(leaf);
    }
}

/// The user whose mailbox is meant whatever the aliases say: `\name` (local(8)).
pub fn mailbox_of(address: &Address) -> Option<&str> {
    address
        .local()
        .strip_prefix('\\')
        .filter(|name| !name.starts_with('='))
}
