//! Names on the command line, with the words for their kind that kubectl users write before them.

use clap::Args;

/// Rollouts by name.
#[derive(Args, Debug)]
pub struct Names {
    /// Names, also as rollout/NAME or rollout NAME.
    #[arg(required = true, value_name = "NAME")]
    pub names: Vec<String>,
}

impl Names {
    /// The names without the words for their kind, which people write as kubectl wants them.
    ///
    /// # Errors
    /// Another kind.
    pub fn plain(&self) -> Result<Vec<&str>, String> {
        let words = match self.names.as_slice() {
            [kind, rest @ ..] if is_kind(kind) && !rest.is_empty() => rest,
            words => words,
        };
        words.iter().map(|word| plain_name(word)).collect()
    }

    /// Only a kind is given: all of it is meant.
    pub fn all(&self) -> bool {
        matches!(self.names.as_slice(), [kind] if is_kind(kind) || is_experiment(kind))
    }

    /// The names say that Experiments are meant.
    pub fn experiments(&self) -> bool {
        let Some(first) = self.names.first() else { return false };
        is_experiment(first.split_once('/').map_or(first.as_str(), |(kind, _)| kind))
    }

    /// The Experiments that are named: `experiment NAME…` or `experiment/NAME`.
    ///
    /// # Errors
    /// Another kind.
    pub fn plain_experiments(&self) -> Result<Vec<&str>, String> {
        let words = match self.names.as_slice() {
            [kind, rest @ ..] if is_experiment(kind) && !rest.is_empty() => rest,
            words => words,
        };
        words.iter().map(|word| plain_experiment(word)).collect()
    }

    /// The one Experiment that is named.
    ///
    /// # Errors
    /// More than one name, or another kind.
    pub fn one_experiment(&self) -> Result<&str, String> {
        match self.plain_experiments()?.as_slice() {
            [name] => Ok(name),
            names => Err(format!("one experiment at a time, not {}: {}", names.len(), names.join(", "))),
        }
    }

    /// The one name.
    ///
    /// # Errors
    /// More than one name, or another kind.
    pub fn one(&self) -> Result<&str, String> {
        match self.plain()?.as_slice() {
            [name] => Ok(name),
            names => Err(format!("one rollout at a time, not {}: {}", names.len(), names.join(", "))),
        }
    }
}

fn is_kind(word: &str) -> bool {
    matches!(word, "rollout" | "rollouts" | "ro" | "rollout.argoproj.io" | "rollouts.argoproj.io")
}

/// Words for the kind Experiment.
const EXPERIMENT_WORDS: [&str; 5] =
    ["experiments", "experiment", "exp", "experiment.argoproj.io", "experiments.argoproj.io"];

pub(super) fn is_experiment(word: &str) -> bool {
    EXPERIMENT_WORDS.contains(&word)
}

fn plain_experiment(word: &str) -> Result<&str, String> {
    match word.split_once('/') {
        None => Ok(word),
        Some((kind, name)) if is_experiment(kind) => Ok(name),
        Some((kind, _)) => Err(format!("\"{kind}\" is no experiment; write experiment/NAME")),
    }
}

/// A name without `rollout/` before it.
///
/// # Errors
/// Another kind.
pub fn plain_name(word: &str) -> Result<&str, String> {
    match word.split_once('/') {
        None => Ok(word),
        Some((kind, name)) if is_kind(kind) => Ok(name),
        Some((kind, _)) => {
            Err(format!("\"{kind}\" is no kind that this command knows; write rollout/NAME or NAME"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(words: &[&str]) -> Names {
        Names { names: words.iter().map(|word| (*word).to_owned()).collect() }
    }

    #[test]
    fn names_are_read_as_kubectl_users_write_them() {
        for (words, expected) in [
            (vec!["shop"], Ok(vec!["shop"])),
            (vec!["rollout", "shop"], Ok(vec!["shop"])),
            (vec!["ro", "shop", "cart"], Ok(vec!["shop", "cart"])),
            (vec!["rollout/shop", "cart"], Ok(vec!["shop", "cart"])),
            (vec!["rollout"], Ok(vec!["rollout"])),
            (
                vec!["deployment/shop"],
                Err("\"deployment\" is no kind that this command knows; write rollout/NAME or NAME"
                    .to_owned()),
            ),
        ] {
            assert_eq!(names(&words).plain(), expected, "{words:?}");
        }
    }

    #[test]
    fn experiments_are_told_by_their_kind() {
        for (words, all, one) in [
            (&["experiment", "trial"][..], false, Ok("trial")),
            (&["exp", "trial"], false, Ok("trial")),
            (&["experiments.argoproj.io/trial"], false, Ok("trial")),
            (&["experiment", "exp/trial"], false, Ok("trial")),
            (&["experiments"], true, Ok("experiments")),
            (&["exp", "a", "b"], false, Err("one experiment at a time, not 2: a, b".to_owned())),
            (
                &["exp", "rollout/shop"],
                false,
                Err("\"rollout\" is no experiment; write experiment/NAME".to_owned()),
            ),
        ] {
            let names = names(words);
            assert!(names.experiments(), "{words:?}");
            assert_eq!((names.all(), names.one_experiment()), (all, one), "{words:?}");
        }
        for words in [&["shop"][..], &["rollout", "exp"], &["rollout/exp"], &["rollouts"], &["shop", "exp"]] {
            assert!(!names(words).experiments(), "{words:?}");
        }
    }
}
