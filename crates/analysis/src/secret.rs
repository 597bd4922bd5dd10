//! Says what a secret text is: usable in a request, impossible to print.

use std::collections::BTreeMap;

use serin_core::seen::Seen;

use crate::provider::form;

/// A text from a Secret. It has neither `Debug` nor `Display`, so that no log, event or status can show it by accident.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretText(String);

impl SecretText {
    /// Takes the text in.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself: only for a request, or to search for it in a text that is to be shown.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// What is known of the keys of Secrets, by name of the Secret and key, all in the namespace of the run.
///
/// `Absent` means that the Secret or its key is not there; `Failed` that the API server could not be asked.
pub type Secrets = BTreeMap<(String, String), Seen<SecretText>>;

/// What stands in shown texts instead of a secret.
pub(crate) const HIDDEN: &str = "*****";

/// `text` with every secret in it hidden, also where it stands as part of an address or of a JSON text.
pub(crate) fn redact(text: &str, secrets: &[SecretText]) -> String {
    let mut shown = text.to_owned();
    for secret in secrets.iter().map(SecretText::expose).filter(|secret| !secret.is_empty()) {
        let in_json = serde_json::Value::from(secret).to_string();
        for form in [secret, &form::escaped(secret), in_json.trim_matches('"')] {
            shown = shown.replace(form, HIDDEN);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_occurrence_is_hidden_and_an_empty_secret_hides_nothing() {
        let secrets = [SecretText::new("hunter2"), SecretText::new("")];
        assert_eq!(redact("user:hunter2@host hunter2", &secrets), "user:*****@host *****");
        let odd = [SecretText::new("a b\"c")];
        assert_eq!(
            redact("for url (http://host/?query=a%20b%22c)", &odd),
            "for url (http://host/?query=*****)"
        );
        assert_eq!(redact(r#"{"echo": "a b\"c"}"#, &odd), r#"{"echo": "*****"}"#);
    }
}
