//! Which statuses of answers are good ones: `200`, `2xx`, `200-204`, and lists of these.

use std::str::FromStr;

/// Statuses that are expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    written: String,
    ranges: Vec<(u16, u16)>,
}

impl Expected {
    /// The status is one of them.
    pub fn has(&self, status: u16) -> bool {
        self.ranges.iter().any(|(first, last)| (*first..=*last).contains(&status))
    }
}

impl std::fmt::Display for Expected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.written)
    }
}

impl FromStr for Expected {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let ranges = text.split(',').map(|word| {
            range(word.trim()).ok_or_else(|| {
                format!("\"{word}\" is no status; write 200, 2xx, 200-204, or several of them with commas")
            })
        });
        Ok(Self { written: text.to_owned(), ranges: ranges.collect::<Result<_, _>>()? })
    }
}

fn range(word: &str) -> Option<(u16, u16)> {
    let status = |text: &str| text.parse::<u16>().ok().filter(|status| (100..=599).contains(status));
    if let Some(class) = word.strip_suffix("xx") {
        let first = class.parse::<u16>().ok().filter(|class| (1..=5).contains(class))? * 100;
        return Some((first, first + 99));
    }
    match word.split_once('-') {
        Some((first, last)) => Some((status(first)?, status(last)?)).filter(|(first, last)| first <= last),
        None => status(word).map(|status| (status, status)),
    }
}
