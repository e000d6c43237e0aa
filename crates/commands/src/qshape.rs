//! `qshape`: for which domains mail is queued, and how old it is, as the qshape(1) that comes with Postfix shows it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::IsTerminal;
use std::ops::ControlFlow;
use std::path::Path;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use queue::QueueName;
use queue::admin::Listed;

use crate::getopt::{self, Part};
use crate::mail_queue::MailQueue;
use crate::{Invocation, eprint_line, print_bytes, print_line};

const HELP: &str = "usage: qshape [-s] [-p] [-m N] [-b N] [-t MINUTES] [-l] [-w COLUMNS] [-n N] [-c DIR] [QUEUE ...]
Shows how many recipients in each domain wait, by the age of the mail. Without QUEUE: those in incoming and active.
  -s          shows the domains of senders, and counts messages
  -p          shows parent domains too, as .example.com
  -m N        parent domains only with at least so many domains below them (5)
  -b N        how many columns of ages (10); the last one has no end
  -t MINUTES  the end of the first column (5); each further one ends at twice the age before
  -l          each further one ends so many minutes later
  -w COLUMNS  the width, when it is over 80
  -n N        on a terminal, shows the first so many domains only (20)
  -c DIR      takes DIR/main.cf
-N is taken: there are no results before the last.";

/// `EX_SOFTWARE`-like end of a Perl program that died.
const DIED: u8 = 255;
const COLUMNS_MIN: usize = 80;
/// The most columns of ages, and the widest line, in columns.
const BUCKETS_MAX: usize = 64;
const COLUMNS_MAX: usize = 10_000;

/// What is to be shown.
#[derive(Debug, Clone, PartialEq)]
struct Wanted {
    config_directory: Option<String>,
    queues: Vec<String>,
    by_sender: bool,
    /// Parent domains with at least so many domains below them.
    parents_min: Option<usize>,
    buckets: usize,
    minutes: f64,
    is_linear: bool,
    columns: usize,
    domains_on_terminal: usize,
}

/// Runs the command.
pub(crate) fn run(invocation: &Invocation) -> ExitCode {
    if invocation.wants_help() {
        print_line(HELP);
        return ExitCode::SUCCESS;
    }
    let wanted = match wanted_of(&invocation.args) {
        Ok(wanted) => wanted,
        Err(why) => {
            eprint_line(&format!("qshape: {why}\n{HELP}"));
            return ExitCode::from(DIED);
        }
    };
    match show(&wanted) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprint_line(&format!("qshape: {why}"));
            ExitCode::from(DIED)
        }
    }
}

fn wanted_of(args: &[String]) -> Result<Wanted, String> {
    let mut wanted = Wanted {
        config_directory: None,
        queues: Vec::new(),
        by_sender: false,
        parents_min: None,
        buckets: 10,
        minutes: 5.0,
        is_linear: false,
        columns: COLUMNS_MIN,
        domains_on_terminal: 20,
    };
    let (mut with_parents, mut below_min) = (false, 5);
    for part in getopt::parts_of(args, "spl", "mbtwNnc")? {
        match part {
            Part::Flag('s') => wanted.by_sender = true,
            Part::Flag('l') => wanted.is_linear = true,
            Part::Flag(_) => with_parents = true,
            Part::Value('c', value) => wanted.config_directory = Some(value),
            Part::Value('t', value) => {
                let minutes = value.parse().ok().filter(|m: &f64| m.is_finite() && *m >= 0.0);
                let minutes = minutes.ok_or_else(|| format!("-t: \"{value}\" is no number of minutes"))?;
                wanted.minutes = if minutes == 0.0 { 5.0 } else { minutes };
            }
            Part::Value(letter, value) => {
                let number: usize = value
                    .parse()
                    .map_err(|_| format!("-{letter}: \"{value}\" is no number"))?;
                match letter {
                    'm' => below_min = number,
                    'b' if number > BUCKETS_MAX => {
                        return Err(format!(
                            "-b: {number} columns are too many, {BUCKETS_MAX} are possible"
                        ));
                    }
                    'b' => wanted.buckets = if number == 0 { 10 } else { number },
                    'w' => wanted.columns = number.clamp(COLUMNS_MIN, COLUMNS_MAX),
                    'n' => wanted.domains_on_terminal = number,
                    _ => {}
                }
            }
            Part::Word(word) => wanted.queues.push(word),
        }
    }
    wanted.parents_min = with_parents.then_some(below_min.max(1));
    Ok(wanted)
}

fn show(wanted: &Wanted) -> Result<(), String> {
    let queue = MailQueue::of(wanted.config_directory.as_deref())?;
    let (queues, missing) = queues_of(&wanted.queues, queue.directory());
    missing
        .iter()
        .for_each(|what| eprint_line(&format!("qshape: {what}")));
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut shape = Shape::new(wanted);
    let listed = queue.list(
        || {},
        |messages| {
            for message in messages {
                if queues.contains(&message.queue_name.as_str()) {
                    shape.add(message, now.as_secs_f64());
                }
            }
            ControlFlow::Continue(())
        },
    );
    listed.map_err(|error| format!("cannot read the queue: {error}"))?;
    let is_short = std::io::stdout().is_terminal();
    print_bytes(
        shape
            .screen(is_short.then_some(wanted.domains_on_terminal))
            .as_bytes(),
    );
    Ok(())
}

/// The queues that are named, by name or by their directory below the queue directory; and what is to be said of those
/// that are not there.
fn queues_of(words: &[String], directory: &Path) -> (Vec<&'static str>, Vec<String>) {
    if words.is_empty() {
        let usual = [QueueName::Incoming, QueueName::Active];
        return (usual.map(QueueName::as_str).to_vec(), Vec::new());
    }
    let (mut queues, mut missing) = (Vec::new(), Vec::new());
    for word in words {
        let path = Path::new(word);
        let name = path.strip_prefix(directory).unwrap_or(path).to_str();
        match name.and_then(|name| QueueName::parse(name.trim_end_matches('/'))) {
            Some(queue) => queues.push(queue.as_str()),
            None => missing.push(format!("Can't stat {word}: No such file or directory")),
        }
    }
    (queues, missing)
}

/// How many, by age: the total and each bucket.
type Counts = Vec<u64>;

/// The counts.
struct Shape<'a> {
    wanted: &'a Wanted,
    /// The ages at which buckets end, in minutes; one less than there are buckets.
    limits: Vec<f64>,
    total: Counts,
    domains: BTreeMap<String, Counts>,
    /// Parent domains, each with a leading dot.
    parents: BTreeMap<String, Counts>,
    /// The domains directly below each parent.
    below: BTreeMap<String, BTreeSet<String>>,
}

impl<'a> Shape<'a> {
    fn new(wanted: &'a Wanted) -> Shape<'a> {
        let mut limits = Vec::new();
        for number in 1..wanted.buckets {
            let last: f64 = limits.last().copied().unwrap_or_default();
            limits.push(match number {
                1 => wanted.minutes,
                _ if wanted.is_linear => last + wanted.minutes,
                _ => last * 2.0,
            });
        }
        Shape {
            wanted,
            limits,
            total: vec![0; wanted.buckets + 1],
            domains: BTreeMap::new(),
            parents: BTreeMap::new(),
            below: BTreeMap::new(),
        }
    }

    fn add(&mut self, message: &Listed, now: f64) {
        #[allow(
            clippy::cast_precision_loss,
            reason = "seconds since the epoch are exact in a double"
        )]
        let minutes = (now - message.arrival_time as f64) / 60.0;
        let bucket = 1 + self.limits.iter().take_while(|limit| minutes >= **limit).count();
        let addresses: Vec<&str> = if self.wanted.by_sender {
            vec![&message.sender]
        } else {
            message.recipients.iter().map(|r| r.address.as_str()).collect()
        };
        for address in addresses {
            let domain = match address.rsplit_once('@') {
                Some((_, domain)) => domain.to_lowercase(),
                None => "MAILER-DAEMON".to_owned(),
            };
            self.count(&domain, bucket);
        }
    }

    fn count(&mut self, domain: &str, bucket: usize) {
        let width = self.total.len();
        let add = |counts: &mut Counts| {
            counts[0] += 1;
            counts[bucket] += 1;
        };
        add(&mut self.total);
        add(self
            .domains
            .entry(domain.to_owned())
            .or_insert_with(|| vec![0; width]));
        if self.wanted.parents_min.is_none() || domain.starts_with('[') {
            return;
        }
        let mut child = domain.to_owned();
        // Top level domains are no parents.
        while let Some((_, parent)) = child.trim_start_matches('.').split_once('.')
            && parent.contains('.')
        {
            let parent = format!(".{parent}");
            add(self
                .parents
                .entry(parent.clone())
                .or_insert_with(|| vec![0; width]));
            self.below.entry(parent.clone()).or_default().insert(child);
            child = parent;
        }
    }

    /// The rows: the largest first, then the shortest names.
    fn rows(&self) -> Vec<(&str, &Counts)> {
        let below = |name: &String| self.below.get(name).map_or(0, BTreeSet::len);
        let least = self.wanted.parents_min.unwrap_or(usize::MAX);
        let parents = self.parents.iter().filter(|(name, _)| below(name) >= least);
        let rows = self.domains.iter().chain(parents);
        let mut rows: Vec<(&str, &Counts)> = rows.map(|(name, counts)| (name.as_str(), counts)).collect();
        rows.sort_by_key(|(name, counts)| (u64::MAX - counts[0], name.len(), *name));
        rows
    }

    /// What is shown; at most so many domains.
    fn screen(&self, at_most: Option<usize>) -> String {
        let mut labels = vec!["T".to_owned()];
        labels.extend(self.limits.iter().map(ToString::to_string));
        labels.push(format!("{}+", self.limits.last().copied().unwrap_or_default()));
        // Nothing is larger than its total.
        let digits = self.total.iter().map(|count| count.to_string().len().max(2));
        let widths: Vec<usize> = digits
            .zip(&labels)
            .map(|(digits, label)| 1 + digits.max(label.len()))
            .collect();
        let name_width = self.wanted.columns.saturating_sub(widths.iter().sum());
        let name_width = name_width.max(NAME_BYTES_MIN);
        let line = |name: &str, cells: Vec<String>| {
            let cells = cells.iter().zip(&widths);
            let cells: String = cells.map(|(cell, width)| format!("{cell:>width$}")).collect();
            format!("{:>name_width$}{cells}\n", shortened(name, name_width))
        };
        let numbers = |counts: &Counts| counts.iter().map(ToString::to_string).collect();
        let mut screen = line("", labels.clone());
        screen.push_str(&line("TOTAL", numbers(&self.total)));
        for (name, counts) in self.rows().into_iter().take(at_most.unwrap_or(usize::MAX)) {
            screen.push_str(&line(name, numbers(counts)));
        }
        screen
    }
}

/// The narrowest column of names: more ages than fit make the line longer.
const NAME_BYTES_MIN: usize = 18;

/// The end of a name that is too long: `+long.example`, of a parent domain `.+long.example`.
fn shortened(name: &str, width: usize) -> String {
    let length = name.chars().count();
    if length <= width {
        return name.to_owned();
    }
    let mark = if name.starts_with('.') { ".+" } else { "+" };
    let end: String = name.chars().skip(length + mark.len() - width).collect();
    format!("{mark}{end}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use queue::admin::ListedRecipient;

    fn wanted(line: &str) -> Result<Wanted, String> {
        wanted_of(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn a_queue_that_is_not_there_is_told_and_the_others_are_shown() {
        let words = ["deferred", "nosuch", "/q/hold/"].map(str::to_owned);
        let (queues, missing) = queues_of(&words, Path::new("/q"));
        assert_eq!(queues, ["deferred", "hold"]);
        assert_eq!(missing, ["Can't stat nosuch: No such file or directory"]);
        let (queues, missing) = queues_of(&words[1..2], Path::new("/q"));
        assert!(queues.is_empty() && missing.len() == 1);
    }

    const NOW: f64 = 1_000_000.0;

    fn message(age_minutes: i64, sender: &str, recipients: &[&str]) -> Listed {
        let recipient = |address: &&str| ListedRecipient {
            address: (*address).to_owned(),
            delay_reason: None,
        };
        Listed {
            queue_name: "deferred".into(),
            queue_id: "ABCDEF1".into(),
            arrival_time: 1_000_000 - age_minutes * 60,
            message_size: 1,
            forced_expire: false,
            sender: sender.into(),
            recipients: recipients.iter().map(recipient).collect(),
        }
    }

    fn screen(line: &str, messages: &[Listed]) -> String {
        let wanted = wanted(line).expect("arguments");
        let mut shape = Shape::new(&wanted);
        messages.iter().for_each(|message| shape.add(message, NOW));
        // As the screens below are written.
        format!("\n{}", shape.screen(None))
    }

    #[test]
    fn the_screen_is_that_of_postfix() {
        let letter = message(
            0,
            "joe@b.sender.example",
            &[
                "x@a.remote.example",
                "y@A.Remote.Example",
                "b4@remote.example",
                "b5@sub.remote.example",
                "x@a.very.long.domain.name.for.the.table.of.qshape.remote.example",
            ],
        );
        let wanted = "
                                         T  5 10 20 40 80 160 320 640 1280 1280+
                                  TOTAL  5  5  0  0  0  0   0   0   0    0     0
                       a.remote.example  2  2  0  0  0  0   0   0   0    0     0
                         remote.example  1  1  0  0  0  0   0   0   0    0     0
                     sub.remote.example  1  1  0  0  0  0   0   0   0    0     0
+for.the.table.of.qshape.remote.example  1  1  0  0  0  0   0   0   0    0     0
";
        assert_eq!(screen("deferred", std::slice::from_ref(&letter)), wanted);
        let by_sender = "
                                                                      T  1  2 2+
                                                               TOTAL  2  1  0  1
                                                       MAILER-DAEMON  1  0  0  1
                                                    b.sender.example  1  1  0  0
";
        let bounce = message(2, "MAILER-DAEMON", &[]);
        assert_eq!(screen("-s -l -b 3 -t1", &[letter, bounce]), by_sender);
        let many: Vec<Listed> = (0..131).map(|_| message(9, "", &["a@b.example"])).collect();
        let wide = "
                                        T  5  10 20 40 80 160 320 640 1280 1280+
                                TOTAL 131  0 131  0  0  0   0   0   0    0     0
                            b.example 131  0 131  0  0  0   0   0   0    0     0
";
        assert_eq!(screen("", &many), wide);
    }

    #[test]
    fn parent_domains_are_shown_with_enough_domains_below_them() {
        let domains = [
            "a.par.example",
            "b.par.example",
            "c.par.example",
            "q.par.example",
            "x.a.par.example",
            "y.a.par.example",
            "a.b.c.d.par.example",
            "par.example",
            "zz.tld",
            "[127.0.0.9]",
        ];
        let recipients: Vec<String> = domains.iter().map(|domain| format!("u@{domain}")).collect();
        let recipients: Vec<&str> = recipients.iter().map(String::as_str).collect();
        let letter = [message(0, "", &recipients)];
        let parents = |line: &str| {
            let screen = screen(line, &letter);
            let rows = screen.lines().filter_map(|line| {
                let mut words = line.split_whitespace();
                let name = words.next().filter(|name| name.starts_with('.'))?;
                Some(format!("{name} {}", words.next()?))
            });
            rows.collect::<Vec<_>>()
        };
        assert_eq!(parents("-p"), [".par.example 7"]);
        assert_eq!(parents("-p -m 2"), [".par.example 7", ".a.par.example 2"]);
        assert_eq!(parents("-p -m 6"), [".par.example 7"]);
        assert_eq!(parents("-p -m 7"), [""; 0]);
        assert_eq!(parents(""), [""; 0]);
    }

    #[test]
    fn wrong_arguments_are_told() {
        assert_eq!(wanted("-x"), Err("invalid option -- 'x'".to_owned()));
        assert_eq!(wanted("-b x"), Err("-b: \"x\" is no number".to_owned()));
        assert_eq!(
            wanted("-t -1"),
            Err("-t: \"-1\" is no number of minutes".to_owned())
        );
        assert_eq!(shortened(".long.example", 8), ".+xample");
    }
}
