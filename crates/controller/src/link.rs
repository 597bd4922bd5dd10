//! Says which Rollouts look at which objects, where that shows only in other objects: a route that names a route.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};

use crate::object::Name;

#[derive(Debug, Default)]
struct Both {
    words: HashMap<Name, BTreeSet<String>>,
    users: HashMap<String, BTreeSet<Name>>,
}

/// Index words of objects, and who looks at them.
#[derive(Debug, Default)]
pub struct Links(Mutex<Both>);

impl Links {
    /// `user` looks at what these words name, and at nothing else any more.
    pub fn set(&self, user: &Name, words: BTreeSet<String>) {
        let mut both = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if both.words.get(user).unwrap_or(&BTreeSet::new()) == &words {
            return;
        }
        for word in both.words.remove(user).unwrap_or_default() {
            if let Some(users) = both.users.get_mut(&word) {
                users.remove(user);
                if users.is_empty() {
                    both.users.remove(&word);
                }
            }
        }
        for word in &words {
            both.users.entry(word.clone()).or_default().insert(user.clone());
        }
        if !words.is_empty() {
            both.words.insert(user.clone(), words);
        }
    }

    /// Who looks at what this word names.
    pub fn users(&self, word: &str) -> Vec<Name> {
        let both = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        both.users.get(word).into_iter().flatten().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_follow_what_was_said_last() {
        let (links, web, api) = (Links::default(), Name::new("shop", "web"), Name::new("shop", "api"));
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        links.set(&web, words(&["a", "b"]));
        links.set(&api, words(&["b"]));
        assert_eq!(links.users("b"), [api.clone(), web.clone()]);
        links.set(&web, words(&["c"]));
        assert_eq!(
            (links.users("a"), links.users("b"), links.users("c")),
            (vec![], vec![api.clone()], vec![web])
        );
        links.set(&api, words(&[]));
        assert!(links.users("b").is_empty());
    }
}
