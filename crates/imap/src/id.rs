//! What ID tells (RFC 2971), as `imap_id_send` writes it: `name *`, `"name" "Our server" version *`.

/// The pairs of field and value that the setting means; `*` is what we are.
pub fn fields(setting: &str, version: &str) -> Vec<(String, String)> {
    let words = words(setting);
    let pairs = words.chunks_exact(2);
    pairs
        .filter_map(|pair| {
            let value = match (pair[0].to_ascii_lowercase().as_str(), pair[1].as_str()) {
                ("name", "*") => "Yubin",
                ("version", "*") => version,
                ("os", "*") => "Linux",
                (_, "*") => return None,
                (_, value) => value,
            };
            Some((pair[0].clone(), value.to_owned()))
        })
        .collect()
}

/// Words between white space; one in quotes may hold some.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let (word, after) = match rest.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
            None => rest.split_once(char::is_whitespace).unwrap_or((rest, "")),
        };
        words.push(word.to_owned());
        rest = after.trim_start();
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_setting_is_pairs() {
        let shown = |setting| {
            let fields = fields(setting, "1.0");
            let pairs = fields.iter().map(|(name, value)| format!("{name}={value}"));
            pairs.collect::<Vec<_>>().join(" ")
        };
        assert_eq!(shown("name *"), "name=Yubin");
        assert_eq!(
            shown("\"name\" \"A B\" version * support-url *"),
            "name=A B version=1.0"
        );
        assert_eq!(shown(""), "");
        assert_eq!(shown("name"), "");
    }
}
