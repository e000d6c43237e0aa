//! `bounce_template_file`: the texts of reports, read with the configuration.

use std::path::Path;

use settings::{BounceTemplates, Values};

/// The texts that a file has, and what is wrong with it; without a file those that are built in. `$name` stays in the
/// first, is replaced in the second.
///
/// # Errors
/// Why the file cannot be read.
pub fn bounce_templates(
    file: Option<&Path>,
    values: &Values,
) -> Result<([BounceTemplates; 2], Vec<String>), String> {
    let (name, raw, mut complaints) = match file {
        None => ("[built-in]".to_owned(), BounceTemplates::built_in(), Vec::new()),
        Some(path) => {
            let name = path.display().to_string();
            let text = crate::text_of(path).map_err(|error| format!("open {name}: {error}"))?;
            if text.len() > settings::BOUNCE_TEMPLATE_BYTES_MAX {
                return Err(format!("{name}: it is too large"));
            }
            let (raw, complaints) = BounceTemplates::read(&name, &text);
            (name, raw, complaints)
        }
    };
    let (expanded, more) = raw.expanded(&name, values);
    complaints.extend(more);
    Ok(([raw, expanded], complaints))
}
