//! What becomes of a message that the lists let pass: where it lies, to whom it goes, and which header fields it has got.

use serde_json::Value;
use system_tests::wait_for;

/// A program whose queue is looked at.
pub(super) struct Program<'a> {
    /// Its log.
    pub(super) log: &'a dyn Fn() -> String,
    /// What one of its commands says.
    pub(super) command: &'a dyn Fn(&str, &[&str]) -> String,
}

impl Program<'_> {
    /// What became of the message; waits until it has come to that `end`: `removed`, the name of a queue, or `nothing`.
    pub(super) fn effects(&self, id: &str, end: &str) -> String {
        let entry = || self.queue().into_iter().find(|entry| entry["queue_id"] == id);
        wait_for("what becomes of the message", || match end {
            "removed" => (self.log)().contains(&format!("{id}: removed")),
            "nothing" => entry().is_none(),
            queue => entry().is_some_and(|entry| entry["queue_name"] == queue),
        });
        let mut text = format!("end {end}\n");
        let mut fates: Vec<String> = (self.log)().lines().filter_map(|line| fate(line, id)).collect();
        fates.sort();
        text.extend(fates.iter().map(|fate| format!("{fate}\n")));
        if let Some(entry) = entry() {
            let recipients = entry["recipients"].as_array().cloned().unwrap_or_default();
            let mut addresses: Vec<String> = recipients
                .iter()
                .map(|recipient| recipient["address"].to_string())
                .collect();
            addresses.sort();
            text.push_str(&format!("from {} to {}\n", entry["sender"], addresses.join(" ")));
            let header = (self.command)("postcat", &["-hq", id]);
            text.push_str(&settled(&header));
        }
        text
    }

    fn queue(&self) -> Vec<Value> {
        let listed = (self.command)("postqueue", &["-j"]);
        let entries = listed.lines().map(serde_json::from_str);
        entries.collect::<Result<_, _>>().unwrap()
    }
}

/// `to=<…>, … status=… (…)` without times, if the line is about this message.
fn fate(line: &str, id: &str) -> Option<String> {
    let (_, rest) = line.split_once(&format!("{id}: to="))?;
    let parts = rest.split(", ").filter(|part| !part.starts_with("delay"));
    Some(format!("to={}", parts.collect::<Vec<_>>().join(", ")))
}

/// A header without what each program writes in its own way: Received fields, and postcat's own line.
fn settled(header: &str) -> String {
    let mut text = String::new();
    let mut is_received = false;
    for line in header.lines().filter(|line| !line.starts_with("***")) {
        if !line.starts_with([' ', '\t']) {
            is_received = line.starts_with("Received:");
        }
        if is_received {
            text.push_str(if line.starts_with("Received:") {
                "Received\n"
            } else {
                ""
            });
        } else {
            text.push_str(line);
            text.push('\n');
        }
    }
    text
}
