//! Says commands as the user must type them: with the flags that reached this cluster.

/// The flags that every suggested command repeats.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Invocation {
    /// The namespace in use.
    pub namespace: String,
    /// `--context`, when it was given.
    pub context: Option<String>,
    /// `--kubeconfig`, when it was given.
    pub kubeconfig: Option<String>,
}

impl Invocation {
    /// `kubectl serin <words> -n <namespace> …`
    pub fn command(&self, words: &str) -> String {
        let mut command = format!("kubectl serin {words}");
        let flags = [
            ("-n", Some(&self.namespace)),
            ("--context", self.context.as_ref()),
            ("--kubeconfig", self.kubeconfig.as_ref()),
        ];
        for (flag, value) in flags {
            if let Some(value) = value.filter(|value| !value.is_empty()) {
                command.push_str(&format!(" {flag} {}", quoted(value)));
            }
        }
        command
    }
}

/// A word as a shell reads it back.
fn quoted(word: &str) -> String {
    let plain = |character: char| character.is_ascii_alphanumeric() || "-_./@:=+,%".contains(character);
    if word.chars().all(plain) { word.to_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_suggested_command_reaches_the_same_cluster() {
        let mut invocation = Invocation { namespace: "web".to_owned(), ..Invocation::default() };
        assert_eq!(invocation.command("promote shop"), "kubectl serin promote shop -n web");
        invocation.context = Some("my cluster".to_owned());
        invocation.kubeconfig = Some("/tmp/kube.yaml".to_owned());
        assert_eq!(
            invocation.command("abort shop"),
            "kubectl serin abort shop -n web --context 'my cluster' --kubeconfig /tmp/kube.yaml"
        );
    }
}
