//! The embedded mail system: a directory with a whole configuration in it, written on the first start.

use std::fs;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use settings::TableRef;
use tables::build::{Options, build};
use tables::source::Syntax;

/// The accounts of a new directory.
const ACCOUNTS: [&str; 2] = ["alice", "bob"];
/// The ports of a directory are this plus the classic numbers (SMTP: plus 525).
pub const PORT_BASE: u16 = 2000;
/// Letters of a generated password: none that is easily taken for another.
const PASSWORD_LETTERS: &[u8] = b"abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789";
const PASSWORD_LENGTH: usize = 14;

/// The ports of an embedded system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Ports {
    pub smtp: u16,
    pub submission: u16,
    pub submissions: u16,
    pub imap: u16,
    pub imaps: u16,
    pub pop3: u16,
    pub pop3s: u16,
}

impl Ports {
    /// The ports above `base`; `None` where one would be over 65535.
    pub fn above(base: u16) -> Option<Ports> {
        let port = |number: u16| base.checked_add(number);
        Some(Ports {
            smtp: port(525)?,
            submission: port(587)?,
            submissions: port(465)?,
            imap: port(143)?,
            imaps: port(993)?,
            pop3: port(110)?,
            pop3s: port(995)?,
        })
    }

    /// Ports that go into files that are written once had better be free.
    fn check_free(self) -> Result<()> {
        let Ports {
            smtp,
            submission,
            submissions,
            imap,
            imaps,
            pop3,
            pop3s,
        } = self;
        for port in [smtp, submission, submissions, imap, imaps, pop3, pop3s] {
            if let Err(error) = std::net::TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, port)) {
                bail!(
                    "cannot listen on 127.0.0.1:{port}: {}. Choose other ports with --port-base",
                    crate::listeners::reason(&error)
                );
            }
        }
        Ok(())
    }
}

/// A directory that is ready to be served from.
#[derive(Debug)]
pub struct Prepared {
    /// Where `main.cf`, `master.cf` and `dovecot.conf` are.
    pub config_directory: PathBuf,
    /// Accounts with their passwords, when they were made just now.
    pub new_accounts: Vec<(String, String)>,
}

/// Who owns the mail of the embedded accounts.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs)]
pub struct Owner {
    pub uid: u32,
    pub gid: u32,
}

/// Makes `directory` what the embedded system needs; what is there already is left as it is.
///
/// # Errors
/// What could not be made, and why.
pub fn prepare(directory: &Path, ports: Ports, owner: Owner) -> Result<Prepared> {
    refuse_strange(directory)?;
    if !is_ours(directory) {
        ports.check_free()?;
    }
    make_directory(directory)?;
    let directory = directory
        .canonicalize()
        .with_context(|| format!("cannot use {}", directory.display()))?;
    let etc = directory.join("etc");
    for name in ["etc", "etc/tls", "spool", "data", "log", "run", "home", "mail"] {
        make_directory(&directory.join(name))?;
    }
    let pair = tls::self_signed::ensure(&etc.join("tls"), &["localhost", "127.0.0.1", "::1"])?;
    let layout = Layout {
        directory: &directory,
        ports,
        cert: &pair.cert_file,
        key: &pair.key_file,
    };
    write_once(&etc.join("main.cf"), &layout.main_cf())?;
    write_once(&etc.join("master.cf"), &layout.master_cf())?;
    write_once(&etc.join("dovecot.conf"), &layout.dovecot_conf())?;
    write_once(&etc.join("aliases"), ALIASES)?;
    build_aliases(&etc.join("aliases"))?;
    let users = etc.join("users");
    let mut new_accounts = Vec::new();
    if !users.exists() {
        let mut text = String::new();
        for account in ACCOUNTS {
            let password = new_password()?;
            let home = directory.join("home").join(account);
            make_directory(&home)?;
            text.push_str(&passwd_line(account, &password, owner, &home)?);
            new_accounts.push((account.to_owned(), password));
        }
        write_once(&users, &text)?;
    }
    Ok(Prepared {
        config_directory: etc,
        new_accounts,
    })
}

/// Whether the directory has been served from before.
pub fn is_ours(directory: &Path) -> bool {
    directory.join("etc/main.cf").exists()
}

/// A directory that holds something else is not ours to fill, nor to give to another user.
fn refuse_strange(directory: &Path) -> Result<()> {
    let is_empty = match fs::read_dir(directory) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => true,
        Err(error) => return Err(error).with_context(|| format!("cannot use {}", directory.display())),
    };
    if !is_ours(directory) && !is_empty {
        bail!(
            "{} holds something else: name an empty directory, or one that does not exist",
            directory.display()
        );
    }
    Ok(())
}

const ALIASES: &str = "\
# Who reads whose mail: name: target, target ... Run newaliases after a change.
postmaster:     alice
root:           alice
mailer-daemon:  postmaster
abuse:          postmaster
";

struct Layout<'a> {
    directory: &'a Path,
    ports: Ports,
    cert: &'a Path,
    key: &'a Path,
}

impl Layout<'_> {
    fn main_cf(&self) -> String {
        let Layout {
            directory, cert, key, ..
        } = self;
        let (directory, cert, key) = (directory.display(), cert.display(), key.display());
        format!(
            "\
# The mail system below {directory}: written on its first start, yours from then on.
compatibility_level = 3.6

# Where things are
queue_directory = {directory}/spool
data_directory = {directory}/data
maillog_file = {directory}/log/mail.log
maillog_file_prefixes = {directory}
mail_spool_directory = {directory}/mail

# Who we are and for whom we receive
myhostname = localhost.localdomain
mydestination = $myhostname, localhost
inet_interfaces = loopback-only
mynetworks = 127.0.0.0/8, [::1]/128
recipient_delimiter = +

# Local mail: the users of dovecot.conf, in Maildirs in their homes
local_recipient_maps = userdb:all $alias_maps
alias_maps = hash:{directory}/etc/aliases
alias_database = $alias_maps
home_mailbox = Maildir/

# Mail for elsewhere goes to its mail exchangers; or to one host: relayhost = [smtp.example.net]:587

# TLS and log-ins
smtpd_tls_cert_file = {cert}
smtpd_tls_key_file = {key}
smtpd_tls_security_level = may
smtpd_sasl_type = dovecot
smtpd_relay_restrictions = permit_mynetworks, permit_sasl_authenticated, reject_unauth_destination
"
        )
    }

    fn master_cf(&self) -> String {
        let Ports {
            smtp,
            submission,
            submissions,
            ..
        } = self.ports;
        format!(
            "\
# service type  private unpriv  chroot  wakeup  maxproc command + args
127.0.0.1:{smtp} inet n - n - - smtpd
[::1]:{smtp} inet n - n - - smtpd
127.0.0.1:{submission} inet n - n - - smtpd
  -o syslog_name=postfix/submission
  -o smtpd_sasl_auth_enable=yes
  -o smtpd_client_restrictions=permit_sasl_authenticated,reject
127.0.0.1:{submissions} inet n - n - - smtpd
  -o syslog_name=postfix/submissions
  -o smtpd_tls_wrappermode=yes
  -o smtpd_sasl_auth_enable=yes
  -o smtpd_client_restrictions=permit_sasl_authenticated,reject
pickup    unix  n  -  n  60   1  pickup
cleanup   unix  n  -  n  -    0  cleanup
qmgr      unix  n  -  n  300  1  qmgr
rewrite   unix  -  -  n  -    -  trivial-rewrite
bounce    unix  -  -  n  -    0  bounce
defer     unix  -  -  n  -    0  bounce
trace     unix  -  -  n  -    0  bounce
smtp      unix  -  -  n  -    -  smtp
relay     unix  -  -  n  -    -  smtp
lmtp      unix  -  -  n  -    -  lmtp
local     unix  -  n  n  -    -  local
virtual   unix  -  n  n  -    -  virtual
error     unix  -  -  n  -    -  error
retry     unix  -  -  n  -    -  error
discard   unix  -  -  n  -    -  discard
showq     unix  n  -  n  -    -  showq
"
        )
    }

    fn dovecot_conf(&self) -> String {
        let Layout {
            directory,
            cert,
            key,
            ports,
        } = self;
        let (directory, cert, key) = (directory.display(), cert.display(), key.display());
        let Ports {
            imap,
            imaps,
            pop3,
            pop3s,
            ..
        } = ports;
        format!(
            "\
# The mailbox services below {directory}: written on their first start, yours from then on.
protocols = imap pop3
listen = 127.0.0.1, ::1
base_dir = {directory}/run
state_dir = {directory}/run
log_path = {directory}/log/dovecot.log
ssl = yes
ssl_cert = <{cert}
ssl_key = <{key}
auth_mechanisms = plain login
mail_location = maildir:~/Maildir
passdb {{
  driver = passwd-file
  args = {directory}/etc/users
}}
userdb {{
  driver = passwd-file
  args = {directory}/etc/users
}}
service imap-login {{
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = {imaps}
    ssl = yes
  }}
}}
service pop3-login {{
  inet_listener pop3 {{
    port = {pop3}
  }}
  inet_listener pop3s {{
    port = {pop3s}
    ssl = yes
  }}
}}
"
        )
    }
}

/// What `newaliases` does after the first edit. The database belongs to the same owner as everything else.
fn build_aliases(aliases: &Path) -> Result<()> {
    let table = TableRef::new("hash", &aliases.to_string_lossy());
    if !aliases.with_extension("db").exists() {
        build(&table, Options::of(Syntax::Aliases)).with_context(|| format!("cannot build {table}"))?;
    }
    Ok(())
}

/// `name:{SCHEME}hash:uid:gid::home::`
fn passwd_line(name: &str, password: &str, owner: Owner, home: &Path) -> Result<String> {
    let mut random = [0; sasl::scheme::RANDOM_BYTES];
    random.copy_from_slice(&random_bytes(sasl::scheme::RANDOM_BYTES)?);
    let scheme: sasl::scheme::Scheme = "SHA512-CRYPT".parse()?;
    let hash = sasl::scheme::generate(&scheme, password.as_bytes(), None, &random)?;
    Ok(format!(
        "{name}:{hash}:{}:{}::{}::\n",
        owner.uid,
        owner.gid,
        home.display()
    ))
}

fn new_password() -> Result<String> {
    let bytes = random_bytes(PASSWORD_LENGTH)?;
    // 55 letters of 256 values: the first few are a little likelier, which 14 letters can afford.
    let letter = |byte: u8| char::from(PASSWORD_LETTERS[usize::from(byte) % PASSWORD_LETTERS.len()]);
    Ok(bytes.into_iter().map(letter).collect())
}

fn random_bytes(count: usize) -> Result<Vec<u8>> {
    let mut bytes = vec![0; count];
    getrandom::fill(&mut bytes)
        .map_err(|error| anyhow::anyhow!("the system gives no random numbers: {error}"))?;
    Ok(bytes)
}

fn make_directory(path: &Path) -> Result<()> {
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.with_context(|| format!("cannot create directory {}", path.display()))
}

/// Writes a file that is not there yet; readable by its owner only.
fn write_once(path: &Path, text: &str) -> Result<()> {
    use std::io::Write;
    // Under another name first: a crash or a full disk must not leave half a file that counts as written.
    let new = path.with_extension("new");
    let write = || -> std::io::Result<()> {
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&new)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::hard_link(&new, path)
    };
    if path.exists() {
        return Ok(());
    }
    let written = write();
    // When it cannot be removed, the next start writes over it.
    let _ = fs::remove_file(&new);
    match written {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
    .with_context(|| format!("cannot write {}", path.display()))
}
