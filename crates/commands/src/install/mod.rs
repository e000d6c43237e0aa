//! `yubin install`: programs, links, accounts, directories, units and a first configuration, in their places.
//!
//! Order: configuration, accounts, directories, programs and links, what starts the system. It can be run again: what is there
//! stays, what is missing is made. What was made stands in the [manifest], for `yubin uninstall`.

mod accounts;
mod aliases;
mod hands;
mod manifest;
mod places;
mod uninstall;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use config::{DovecotFile, Loaded};
use master::identity::give_parts;
use master::left_queue;
use master::running::Scale;
use master::start::{self, Start};

use crate::{Invocation, print_line};
use accounts::{Accounts, Ids, WantedUser};
use hands::{Foreign, Hands, Mode};
use manifest::{Made, Manifest};
pub(crate) use places::INNER;
use places::{Places, absolute};
pub(crate) use uninstall::run as run_uninstall;

const HELP: &str = "\
usage: yubin install [--prefix DIR] [--root DIR] [--config DIR] [--postfix DIR] [--dovecot FILE] [--root-alias NAME]
                     [--force] [--dry-run]

Puts the mail system in its places: programs, links for every command, users and groups, queue and other directories, units for
systemd, a script for sysv init, rotation of logs, and a first configuration. What is there stays; it can be run again.

  --prefix DIR    programs below DIR (/usr)
  --root DIR      everything below DIR, which will be / one day or is another system's root
  --config DIR    the configuration in DIR (/etc/yubin)
  --postfix DIR   uses DIR/main.cf and DIR/master.cf where they lie, by links (/etc/postfix)
  --dovecot FILE  includes FILE where it lies (/etc/dovecot/dovecot.conf)
  --root-alias NAME  who reads root's mail: a user, or an address. It is added to an alias table that is there; without the
                  option a new table names the only ordinary user, and a table that is there is never changed
  --force         moves files of other programs aside; without it they stay, and are told. `yubin uninstall` moves them back
  --dry-run       only says what it would do";

/// What is in a queue of ours.
const QUEUE: [&str; 7] = ["large", "lock", "log", "lost+found", "maildrop", "pid", "public"];
const LOGS: &str = "/var/log/yubin";
const VMAIL: &str = "vmail";
/// As whom passwords are verified where that needs no root.
const AUTH_USER: &str = "yubin-auth";

/// What the arguments ask for.
#[derive(Debug, PartialEq, Eq)]
struct Wanted {
    prefix: PathBuf,
    root: PathBuf,
    config: PathBuf,
    postfix: Option<PathBuf>,
    dovecot: Option<PathBuf>,
    /// Who is to read root's mail.
    root_alias: Option<String>,
    force: bool,
    dry_run: bool,
}

impl Wanted {
    fn of(args: &[String]) -> Result<Wanted> {
        let mut wanted = Wanted {
            prefix: "/usr".into(),
            root: "/".into(),
            config: "/etc/yubin".into(),
            postfix: None,
            dovecot: None,
            root_alias: None,
            force: false,
            dry_run: false,
        };
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            let (name, joined) = match arg.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (arg.as_str(), None),
            };
            let mut value = || joined.clone().or_else(|| args.next().cloned());
            let mut path = || absolute(name, value());
            match name {
                "--prefix" => wanted.prefix = path()?,
                "--root" => wanted.root = path()?,
                "--config" => wanted.config = path()?,
                "--postfix" => wanted.postfix = Some(path()?),
                "--dovecot" => wanted.dovecot = Some(path()?),
                "--root-alias" => {
                    let value = value().context("--root-alias needs a user or an address")?;
                    wanted.root_alias = Some(value);
                }
                "--force" => wanted.force = true,
                "--dry-run" => wanted.dry_run = true,
                other => bail!("there is no option \"{other}\" (see --help)"),
            }
        }
        Ok(wanted)
    }

    fn places(&self) -> Places {
        Places {
            prefix: self.prefix.clone(),
            root: self.root.clone(),
            config: self.config.clone(),
        }
    }
}

/// Runs the command.
pub(crate) fn run(invocation: &Invocation) -> ExitCode {
    if invocation.wants_help() {
        print_line(HELP);
        return ExitCode::SUCCESS;
    }
    let wanted = match Wanted::of(&invocation.args) {
        Ok(wanted) => wanted,
        Err(error) => {
            invocation.complain(os::with_causes(error.as_ref()));
            return ExitCode::from(crate::EX_USAGE);
        }
    };
    match install(&wanted) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(left) => {
            print_line(&format!("{left} things were left as they are: see above"));
            ExitCode::SUCCESS
        }
        Err(error) => {
            invocation.complain(os::with_causes(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}

/// Installs; gives the number of things that stayed as they are though they should be otherwise.
fn install(wanted: &Wanted) -> Result<usize> {
    let places = wanted.places();
    if places.is_here() && !os::is_root() && !wanted.dry_run {
        bail!("only root can install into this system: become root, or name another place with --root");
    }
    let mode = if wanted.dry_run { Mode::Tell } else { Mode::Do };
    let foreign = if wanted.force {
        Foreign::Move
    } else {
        Foreign::Stay
    };
    let manifest = Manifest::read(&places.real(&places.manifest()))?;
    let mut hands = Hands::with(&places, mode, foreign, manifest);
    let done = perform(wanted, &mut hands);
    // What was made before something went wrong can be removed all the same.
    let written = hands.write_down();
    done.and(written)?;
    if hands.mode == Mode::Do {
        tell_what_follows(&places);
    }
    Ok(hands.left)
}

fn perform(wanted: &Wanted, hands: &mut Hands<'_>) -> Result<()> {
    let places = hands.places;
    refuse(wanted, hands)?;
    configure(wanted, hands)?;
    // Ours names it, and is read next.
    if wanted.postfix.is_none() || wanted.dovecot.is_none() {
        first_certificate(hands)?;
    }
    let loaded = to_be(wanted, hands);
    aliases::provide(hands, &loaded, wanted.root_alias.as_deref())?;
    let accounts = make_accounts(hands, &loaded)?;
    if wanted.dovecot.is_none() {
        passwords(hands, &accounts)?;
    }
    directories(hands, &loaded, &accounts)?;
    programs(hands, &loaded, &accounts)?;
    for (link, target) in places.links() {
        hands.link(&link, &target)?;
    }
    starters(hands, &loaded)?;
    if hands.mode == Mode::Do {
        aliases::build(places, &loaded)?;
    }
    Ok(())
}

/// Refuses what can be refused, before anything is made: named files that are not there, directories that are somebody else's.
fn refuse(wanted: &Wanted, hands: &Hands<'_>) -> Result<()> {
    let places = hands.places;
    let of_postfix = ["main.cf", "master.cf"].map(|name| Some(wanted.postfix.as_ref()?.join(name)));
    let named = of_postfix.into_iter().flatten().map(|file| ("--postfix", file));
    let of_dovecot = wanted.dovecot.iter().map(|file| ("--dovecot", file.clone()));
    for (option, file) in named.chain(of_dovecot) {
        let real = places.real(&file);
        if !real.exists() {
            bail!("{option}: there is no {}", real.display());
        }
    }
    let postfix = load(places, wanted.postfix.as_deref()).postfix;
    let (queue, data) = (&postfix.queue_directory, &postfix.data_directory);
    let of_queue = left_queue::complaint_below(queue, &places.real(queue));
    let of_data = || left_queue::complaint_of_data("data_directory", data, &places.real(data));
    if let Some(complaint) = of_queue.or_else(of_data) {
        bail!("{complaint}");
    }
    let owner = Accounts::of(places)
        .user(&postfix.mail_owner)?
        .unwrap_or(Ids::NOT_YET);
    hands.refuse_anothers(queue, Some(owner), &QUEUE)?;
    hands.refuse_anothers(data, Some(owner), &[])
}

/// A text of ours with the places in it.
fn text_of(template: &str, places: &Places) -> String {
    template
        .replace("@PROGRAM@", &places.program().to_string_lossy())
        .replace("@CONFIG@", &places.config.to_string_lossy())
}

fn configure(wanted: &Wanted, hands: &mut Hands<'_>) -> Result<()> {
    let places = hands.places;
    let config = &places.config;
    match &wanted.postfix {
        Some(directory) => {
            for name in ["main.cf", "master.cf"] {
                hands.named(&config.join(name), &directory.join(name))?;
            }
        }
        None => {
            let main = main_cf(places);
            hands.configuration(&config.join("main.cf"), main.as_bytes(), 0o644, None)?;
            let master = include_str!("files/master.cf");
            hands.configuration(&config.join("master.cf"), master.as_bytes(), 0o644, None)?;
        }
    }
    let dovecot = match &wanted.dovecot {
        Some(file) => format!("!include {}\n", file.display()),
        None => {
            let owner = load(places, wanted.postfix.as_deref()).postfix.mail_owner;
            text_of(include_str!("files/dovecot.conf"), places).replace("@MAIL_OWNER@", &owner)
        }
    };
    hands.configuration(&config.join("dovecot.conf"), dovecot.as_bytes(), 0o644, None)?;
    let pam = Path::new("/etc/pam.d/dovecot");
    // Where PAM is, it has this directory; below another root nobody can tell yet.
    if !places.is_here() || Path::new("/etc/pam.d").is_dir() {
        hands.configuration(pam, include_bytes!("files/pam"), 0o644, None)?;
    }
    Ok(())
}

/// What the configuration says; one that is not there yet says nothing, but for what it will lead to.
fn load(places: &Places, postfix: Option<&Path>) -> Loaded {
    // Links in another root lead nowhere yet.
    let is_there = || places.real(&places.config.join("main.cf")).exists();
    let named = postfix.filter(|_| !places.is_here() || !is_there());
    start::load(&Start {
        scale: Scale::Host,
        config_directory: Some(places.real(named.unwrap_or(&places.config))),
        dovecot: DovecotFile::Beside,
    })
}

/// What the configuration says, or will say where it is only told about.
fn to_be(wanted: &Wanted, hands: &Hands<'_>) -> Loaded {
    let places = hands.places;
    let is_there = places.real(&places.config.join("main.cf")).exists();
    if hands.mode == Mode::Do || is_there || wanted.postfix.is_some() {
        return load(places, wanted.postfix.as_deref());
    }
    let settings = config::main_cf::parse(&main_cf(places), &mut Vec::new());
    let overrides = settings.into_iter().map(|setting| (setting.name, setting.text));
    let options = config::Options {
        surroundings: config::this_machine(),
        dovecot: DovecotFile::Beside,
        overrides: overrides.collect(),
    };
    config::load(&places.real(&places.config), &options)
}

/// The first main.cf.
fn main_cf(places: &Places) -> String {
    let main = include_str!("files/main.cf").replace("@HOSTNAME@", &os::hostname::hostname());
    text_of(&main, places)
}

/// The ids that files are given to; `None` where there is nobody.
struct Owners {
    mail: Option<Ids>,
    drop_group: Option<u32>,
    auth_group: Option<u32>,
    vmail: Option<Ids>,
}

fn make_accounts(hands: &mut Hands<'_>, loaded: &Loaded) -> Result<Owners> {
    let accounts = Accounts::of(hands.places);
    let postfix = &loaded.postfix;
    let mail_owner = WantedUser {
        name: postfix.mail_owner.clone(),
        home: postfix.data_directory.clone(),
        comment: "Yubin mail system",
    };
    let auth = WantedUser {
        name: loaded.dovecot.as_ref().map_or_else(
            || AUTH_USER.to_owned(),
            |dovecot| dovecot.default_internal_user.clone(),
        ),
        home: PathBuf::from("/nonexistent"),
        comment: "Yubin password check",
    };
    let vmail = WantedUser {
        name: VMAIL.to_owned(),
        home: PathBuf::from("/var/vmail"),
        comment: "Owner of virtual mailboxes",
    };
    let can = hands.is_root;
    make_group(hands, &accounts, &postfix.setgid_group, can)?;
    for user in [&mail_owner, &auth, &vmail] {
        make_user(hands, &accounts, user, can)?;
    }
    // Who is only told about will be there when it is done.
    let is_planned = hands.mode == Mode::Tell && can;
    let or_planned = |found: Option<Ids>| found.or(is_planned.then_some(Ids::NOT_YET));
    let drop_group = accounts.group(&postfix.setgid_group)?;
    Ok(Owners {
        mail: or_planned(accounts.user(&mail_owner.name)?),
        drop_group: drop_group.or(is_planned.then_some(Ids::NOT_YET.gid)),
        auth_group: or_planned(accounts.user(&auth.name)?).map(|ids| ids.gid),
        vmail: or_planned(accounts.user(VMAIL)?),
    })
}

fn make_group(hands: &mut Hands<'_>, accounts: &Accounts<'_>, name: &str, can: bool) -> Result<()> {
    if accounts.group(name)?.is_some() {
        return Ok(());
    }
    if !can {
        hands.leave(&format!(
            "group {name} is not there, and only root can make it: groupadd --system {name}"
        ));
        return Ok(());
    }
    hands.account(&format!("group {name}"), Made::Group(name.to_owned()), &|| {
        accounts.add_group(name)
    })
}

fn make_user(hands: &mut Hands<'_>, accounts: &Accounts<'_>, user: &WantedUser, can: bool) -> Result<()> {
    let name = &user.name;
    if accounts.user(name)?.is_some() {
        return Ok(());
    }
    if !can {
        hands.leave(&format!(
            "user {name} is not there, and only root can make it: useradd --system {name}"
        ));
        return Ok(());
    }
    hands.account(&format!("user {name}"), Made::User(name.clone()), &|| {
        accounts.add_user(user)
    })
}

const ROOT: Ids = Ids { uid: 0, gid: 0 };

fn passwords(hands: &mut Hands<'_>, owners: &Owners) -> Result<()> {
    let places = hands.places;
    let readers = owners.auth_group.map(|gid| Ids { uid: 0, gid });
    let mode = if readers.is_some() { 0o640 } else { 0o600 };
    let users = places.config.join("users");
    hands.configuration(
        &users,
        include_bytes!("files/users"),
        mode,
        readers.or(Some(ROOT)),
    )
}

fn first_certificate(hands: &mut Hands<'_>) -> Result<()> {
    let places = hands.places;
    let directory = places.config.join("tls");
    hands.directory(&directory, 0o755, Some(ROOT), Made::Directory(directory.clone()))?;
    let names = ["cert.pem", "key.pem"].map(|name| directory.join(name));
    if names.iter().any(|name| places.real(name).exists()) {
        return Ok(());
    }
    let hostname = os::hostname::hostname();
    hands.say(&format!(
        "write {} (self-signed, for {hostname}) and its key.pem",
        places.real(&names[0]).display()
    ));
    if hands.mode == Mode::Tell {
        return Ok(());
    }
    tls::self_signed::ensure(&places.real(&directory), &[&hostname])?;
    for name in names {
        hands.manifest.add(Made::Configuration(name));
    }
    Ok(())
}

fn directories(hands: &mut Hands<'_>, loaded: &Loaded, owners: &Owners) -> Result<()> {
    let (places, postfix) = (hands.places, &loaded.postfix);
    let data = |path: &Path| Made::Data(path.to_owned());
    let queue = &postfix.queue_directory;
    // A maildrop that is there is set right with the queue, its users' mail with it.
    let is_there = places.real(queue).exists();
    hands.data(queue, (0o755, owners.mail), &QUEUE)?;
    let maildrop = queue.join("maildrop");
    let dropping = match (owners.mail, owners.drop_group) {
        (Some(mail), Some(gid)) => Some((0o1730, Ids { uid: mail.uid, gid })),
        (Some(mail), None) => Some((0o700, mail)),
        _ => None,
    };
    let (mode, owner) = dropping.unzip();
    match owners.mail.filter(|_| is_there && hands.is_root) {
        Some(mail) if hands.mode == Mode::Do => {
            give_parts(&places.real(queue), (mail.uid, mail.gid), owners.drop_group)?;
        }
        _ => hands.directory(&maildrop, mode.unwrap_or(0o700), owner, data(&maildrop))?,
    }
    hands.data(&postfix.data_directory, (0o750, owners.mail), &[])?;
    let logs = Path::new(LOGS);
    if postfix.maillog_file.starts_with(logs) {
        hands.directory(logs, 0o755, Some(ROOT), data(logs))?;
    }
    let vmail = Path::new("/var/vmail");
    hands.directory(vmail, 0o750, owners.vmail, Made::Mailboxes(vmail.to_owned()))
}

fn programs(hands: &mut Hands<'_>, loaded: &Loaded, owners: &Owners) -> Result<()> {
    let places = hands.places;
    let own = std::env::current_exe().context("cannot tell where this program lies")?;
    let directory = own.parent().context("cannot tell where this program lies")?;
    let read = |path: &Path| std::fs::read(path).with_context(|| format!("cannot read {}", path.display()));
    hands.file(&places.program(), &read(&own)?, 0o755, Some(ROOT))?;
    let postdrop = directory.join("postdrop");
    if !postdrop.exists() {
        hands.leave(&format!(
            "there is no {}: without it users cannot leave mail while the system is down. `cargo build --release -p postdrop` makes it",
            postdrop.display()
        ));
        return Ok(());
    }
    let group = owners.drop_group.filter(|_| hands.is_root);
    let (mode, owner) = match group {
        Some(gid) => (0o2755, Ids { uid: 0, gid }),
        None => (0o755, ROOT),
    };
    hands.file(
        &places.programs().join("postdrop"),
        &read(&postdrop)?,
        mode,
        Some(owner),
    )?;
    if group.is_none() {
        hands.leave(&format!(
            "{} is not set-group-ID {}: only root can make it so",
            places.real(&places.programs().join("postdrop")).display(),
            loaded.postfix.setgid_group
        ));
    }
    Ok(())
}

/// What starts the system, and what turns its logs over.
fn starters(hands: &mut Hands<'_>, loaded: &Loaded) -> Result<()> {
    let places = hands.places;
    let service = text_of(include_str!("files/yubin.service"), places);
    hands.file(
        &places.units().join("yubin.service"),
        service.as_bytes(),
        0o644,
        Some(ROOT),
    )?;
    let socket = include_str!("files/yubin.socket").replace("@LISTEN@", &listen_lines(loaded));
    hands.file(
        &places.units().join("yubin.socket"),
        socket.as_bytes(),
        0o644,
        Some(ROOT),
    )?;
    let script = text_of(include_str!("files/yubin.init"), places);
    hands.file(
        Path::new("/etc/init.d/yubin"),
        script.as_bytes(),
        0o755,
        Some(ROOT),
    )?;
    let rotation = text_of(include_str!("files/logrotate"), places);
    hands.file(
        Path::new("/etc/logrotate.d/yubin"),
        rotation.as_bytes(),
        0o644,
        Some(ROOT),
    )?;
    let completion = places.prefix.join("share/bash-completion/completions/yubin");
    hands.file(
        &completion,
        include_bytes!("files/bash-completion"),
        0o644,
        Some(ROOT),
    )
}

/// `ListenStream=` for every port that the configuration asks for; none when it makes no sense (`yubin check` says why).
fn listen_lines(loaded: &Loaded) -> String {
    let mut dovecot = loaded.dovecot.clone();
    // Below another root the certificate does not lie where its name says.
    if let Some(dovecot) = dovecot.as_mut().filter(|dovecot| dovecot.ssl_cert.is_empty()) {
        dovecot.ssl_cert = "later".to_owned();
    }
    let wanted = master::listeners::wanted(&loaded.postfix, &loaded.services, dovecot.as_ref());
    let mut addresses: Vec<_> = wanted
        .unwrap_or_default()
        .iter()
        .filter_map(|port| port.address.inet())
        .collect();
    addresses.dedup();
    addresses
        .iter()
        .map(|address| format!("ListenStream={address}\n"))
        .collect()
}

fn tell_what_follows(places: &Places) {
    if !places.is_here() {
        return;
    }
    print_line("");
    print_line("Next: look at the configuration, have it checked, start:");
    print_line(&format!("  {} check", places.prefix.join("sbin/yubin").display()));
    match Path::new("/run/systemd/system").exists() {
        true => print_line("  systemctl daemon-reload && systemctl enable --now yubin"),
        false => print_line("  /etc/init.d/yubin start"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(line: &str) -> Result<Wanted> {
        Wanted::of(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn arguments() {
        let given = wanted("--prefix=/opt/mail --root /tmp/x --dry-run").expect("fine");
        assert_eq!(
            (given.prefix.as_path(), given.root.as_path()),
            (Path::new("/opt/mail"), Path::new("/tmp/x"))
        );
        assert!(given.dry_run && !given.force);
        assert!(wanted("--root relative").is_err() && wanted("--prefix").is_err() && wanted("-x").is_err());
    }

    #[test]
    fn an_installation_is_complete_can_be_repeated_and_leaves_nothing() {
        let root = tempfile::tempdir().expect("a directory");
        let at = |path: &str| root.path().join(path.trim_start_matches('/'));
        std::fs::create_dir_all(at("/usr/bin")).expect("made");
        std::fs::write(at("/usr/bin/mail"), "another's").expect("written");
        // Where root runs the test, users are made.
        std::fs::create_dir_all(at("/etc")).expect("made");
        std::fs::write(at("/etc/passwd"), "root:x:0:0::/:/bin/sh\n").expect("written");
        std::fs::write(at("/etc/group"), "root:x:0:\n").expect("written");
        let mut wanted = wanted("--prefix /usr").expect("fine");
        wanted.root = root.path().to_owned();
        install(&wanted).expect("installed");
        for path in [
            "/etc/yubin/main.cf",
            "/etc/yubin/dovecot.conf",
            "/etc/yubin/tls/key.pem",
            "/usr/lib/yubin/yubin",
            "/usr/lib/systemd/system/yubin.service",
            "/etc/init.d/yubin",
            "/var/spool/yubin/maildrop",
        ] {
            assert!(at(path).exists(), "{path}");
        }
        let link = std::fs::read_link(at("/usr/sbin/sendmail")).expect("a link");
        assert_eq!(link, Path::new("/usr/lib/yubin/yubin"));
        assert_eq!(
            std::fs::read_to_string(at("/usr/bin/mail")).expect("there"),
            "another's"
        );
        let socket = std::fs::read_to_string(at("/usr/lib/systemd/system/yubin.socket")).expect("there");
        assert!(
            socket.contains("ListenStream=127.0.0.1:25\n") && socket.contains("ListenStream=[::1]:993\n"),
            "{socket}"
        );
        let manifest = || std::fs::read_to_string(at("/usr/lib/yubin/manifest")).expect("there");
        let first = manifest();
        std::fs::write(at("/etc/yubin/main.cf"), "mine\n").expect("written");
        wanted.force = true;
        install(&wanted).expect("again");
        assert_eq!(
            std::fs::read_to_string(at("/etc/yubin/main.cf")).expect("there"),
            "mine\n"
        );
        assert!(manifest().contains("moved\t/usr/bin/mail") && manifest().len() > first.len());
        uninstall::remove(&wanted.places(), uninstall::Extent::Everything, Mode::Do).expect("removed");
        assert_eq!(
            std::fs::read_to_string(at("/usr/bin/mail")).expect("back"),
            "another's"
        );
        let mut left = Vec::new();
        files_below(root.path(), &mut left);
        left.retain(|path| path.parent() != Some(&at("/etc")));
        assert_eq!(left, [at("/usr/bin/mail")]);
        let passwd = std::fs::read_to_string(at("/etc/passwd")).expect("there");
        assert_eq!(passwd, "root:x:0:0::/:/bin/sh\n");
    }

    /// A root with the accounts of a system, and its installation.
    fn bare_root() -> (tempfile::TempDir, Wanted) {
        let root = tempfile::tempdir().expect("a directory");
        std::fs::create_dir_all(root.path().join("etc")).expect("made");
        std::fs::write(root.path().join("etc/passwd"), "root:x:0:0::/:/bin/sh\n").expect("written");
        std::fs::write(root.path().join("etc/group"), "root:x:0:\n").expect("written");
        let mut wanted = wanted("--prefix /usr").expect("fine");
        wanted.root = root.path().to_owned();
        (root, wanted)
    }

    #[test]
    fn a_queue_that_is_left_over_is_set_right_or_refused() {
        use std::os::unix::fs::{MetadataExt, lchown};
        if !os::is_root() {
            println!("skipped: needs root");
            return;
        }
        const BEFORE: u32 = 4242;
        let (root, wanted) = bare_root();
        let at = |path: &str| root.path().join(path);
        for part in ["log", "maildrop"] {
            std::fs::create_dir_all(at("var/spool/yubin").join(part)).expect("made");
        }
        for (path, uid) in [
            ("log/segment-1", BEFORE),
            ("maildrop/OWN", BEFORE),
            ("maildrop/USERS", 5555),
        ] {
            let path = at("var/spool/yubin").join(path);
            std::fs::write(&path, "").expect("written");
            lchown(&path, Some(uid), Some(uid)).expect("given");
        }
        for path in ["", "log", "maildrop"] {
            lchown(at("var/spool/yubin").join(path), Some(BEFORE), Some(BEFORE)).expect("given");
        }
        install(&wanted).expect("installed");
        let passwd = std::fs::read_to_string(at("etc/passwd")).expect("there");
        let yubin = passwd
            .lines()
            .find(|line| line.starts_with("yubin:"))
            .expect("made");
        let uid: u32 = yubin
            .split(':')
            .nth(2)
            .and_then(|uid| uid.parse().ok())
            .expect("a uid");
        let found = |path: &str| at("var/spool/yubin").join(path).metadata().expect("there");
        for path in ["", "log", "log/segment-1", "maildrop", "maildrop/OWN"] {
            assert_eq!(found(path).uid(), uid, "{path}");
        }
        assert_eq!(
            found("maildrop/USERS").uid(),
            5555,
            "by its owner the mail is known"
        );
        assert_eq!(found("maildrop").mode() & 0o7777, 0o1730);
        // Something of somebody's in it: nothing is given away.
        lchown(at("var/spool/yubin"), Some(BEFORE), Some(BEFORE)).expect("given");
        std::fs::write(at("var/spool/yubin/thesis.tex"), "").expect("written");
        let error = os::with_causes(install(&wanted).expect_err("refused").as_ref());
        assert!(
            error.contains("belongs to user id 4242 and holds thesis.tex"),
            "{error}"
        );
        assert_eq!(found("").uid(), BEFORE);
    }

    #[test]
    fn a_queue_of_postfix_is_not_touched() {
        let (root, mut wanted) = bare_root();
        let postfix = root.path().join("etc/postfix");
        std::fs::create_dir_all(&postfix).expect("made");
        std::fs::write(postfix.join("main.cf"), "queue_directory = /var/spool/postfix\n").expect("written");
        std::fs::write(postfix.join("master.cf"), "smtp inet n - n - - smtpd\n").expect("written");
        for part in ["active", "deferred", "incoming"] {
            std::fs::create_dir_all(root.path().join("var/spool/postfix").join(part)).expect("made");
        }
        wanted.postfix = Some("/etc/postfix".into());
        let error = os::with_causes(install(&wanted).expect_err("refused").as_ref());
        assert!(
            error.contains("var/spool/postfix: that is the queue of Postfix"),
            "{error}"
        );
        assert!(
            !root.path().join("etc/yubin").exists()
                && !root.path().join("var/spool/postfix/maildrop").exists()
        );
    }

    #[test]
    fn what_is_refused_is_refused_before_anything_is_made() {
        let (root, mut wanted) = bare_root();
        let at = |path: &str| root.path().join(path);
        std::fs::create_dir_all(at("etc/postfix")).expect("made");
        std::fs::write(at("etc/postfix/master.cf"), "smtp inet n - n - - smtpd\n").expect("written");
        wanted.postfix = Some("/etc/postfix".into());
        std::fs::create_dir_all(at("var/spool/mail")).expect("made");
        std::fs::create_dir_all(at("var/other/maildrop")).expect("made");
        std::fs::create_dir_all(at("srv/data")).expect("made");
        std::fs::set_permissions(
            at("srv/data"),
            std::os::unix::fs::PermissionsExt::from_mode(0o1777),
        )
        .expect("set");
        for (main, told) in [
            (
                "queue_directory = /var/spool/mail\n",
                "that is a directory of the system",
            ),
            (
                "data_directory = /tmp\n",
                "data_directory: /tmp: that is a directory of the system",
            ),
            (
                "data_directory = /srv/data\n",
                "data_directory: /srv/data: others may write there",
            ),
            (
                "queue_directory = /var/other\n",
                "a part of another mail system's queue (it is root's and has maildrop)",
            ),
        ] {
            let needs_root = main.contains("/srv/data") || main.contains("/var/other");
            if needs_root && !os::is_root() {
                println!("skipped: needs root");
                continue;
            }
            std::fs::write(at("etc/postfix/main.cf"), main).expect("written");
            let error = os::with_causes(install(&wanted).expect_err("refused").as_ref());
            assert!(error.contains(told), "{error}");
        }
        wanted.dovecot = Some("/etc/dovecot/dovecot.conf".into());
        let error = os::with_causes(install(&wanted).expect_err("refused").as_ref());
        assert!(error.contains("--dovecot: there is no "), "{error}");
        assert!(!at("etc/yubin").exists() && !at("var/lib/yubin").exists());
    }

    #[test]
    fn what_would_be_done_is_what_is_done() {
        let (root, mut wanted) = bare_root();
        let words = |wanted: &Wanted| {
            let places = wanted.places();
            let mode = if wanted.dry_run { Mode::Tell } else { Mode::Do };
            let mut hands = Hands::with(&places, mode, Foreign::Stay, Manifest::default());
            perform(wanted, &mut hands).expect("done");
            std::mem::take(&mut hands.said)
        };
        wanted.dry_run = true;
        let told = words(&wanted);
        wanted.dry_run = false;
        let mut done = words(&wanted);
        let mut unique = told.clone();
        unique.sort();
        unique.dedup();
        assert_eq!(unique.len(), told.len(), "{told:?}");
        done.sort();
        assert_eq!(unique, done);
        let pam = root.path().join("etc/pam.d/dovecot");
        assert!(pam.exists() && done.contains(&format!("write {} (mode 0644)", pam.display())));
    }

    #[test]
    fn the_directory_of_mailboxes_stays_with_its_user() {
        let (root, wanted) = bare_root();
        install(&wanted).expect("installed");
        let vmail = root.path().join("var/vmail");
        uninstall::remove(&wanted.places(), uninstall::Extent::Programs, Mode::Do).expect("removed");
        assert!(vmail.exists());
        uninstall::remove(&wanted.places(), uninstall::Extent::Everything, Mode::Do).expect("removed");
        assert!(!vmail.exists());
    }

    fn files_below(directory: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(directory)
            .expect("readable")
            .map_while(Result::ok)
        {
            match entry.path() {
                path if path.is_dir() && !path.is_symlink() => files_below(&path, found),
                path => found.push(path),
            }
        }
    }
}
