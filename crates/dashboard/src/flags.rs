//! Reads the command line, and refuses to begin where the dashboard would be open to people it does not know.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use clap::{Parser, ValueEnum};

use crate::guard::Door;

/// Shows Rollouts in a browser.
///
/// It only shows, unless it is started with --allow-actions. Without --auth it serves this machine alone, and whoever
/// reaches it there acts with the rights of the kubeconfig in use; it refuses to listen anywhere else.
///
/// With --auth token every request needs a bearer token of the cluster, which is checked by a TokenReview. People see
/// the namespaces in which they may list Rollouts, AnalysisRuns, ReplicaSets and pods (SubjectAccessReview), and every
/// change is made with their own token, so that the API server checks their rights and its audit log names them. The
/// dashboard itself needs no right to change or to impersonate anything. Put a proxy that speaks TLS before it: tokens
/// must not travel in the clear.
#[derive(Clone, Debug, Parser)]
#[command(name = "serin-dashboard", version, max_term_width = 100)]
pub struct Flags {
    /// Address to listen on; other than loopback only with --auth token
    #[arg(long, value_name = "IP", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    pub address: IpAddr,
    /// Port to listen on
    #[arg(short, long, default_value_t = 3100)]
    pub port: u16,
    /// Path under which everything lies
    #[arg(long, value_name = "PATH", default_value = "rollouts", value_parser = root_path)]
    pub root_path: String,
    /// Who is let in
    #[arg(long, value_enum, default_value_t = Auth::None)]
    pub auth: Auth,
    /// Let people promote, abort, retry, restart, undo and set images
    #[arg(long)]
    pub allow_actions: bool,
    /// Address under which a proxy offers the dashboard, such as https://serin.example.org; needed only when the proxy
    /// does not pass on the Host header
    #[arg(long, value_name = "URL", requires = "auth")]
    pub public_url: Option<String>,
    /// Watch this namespace alone, for a dashboard that has no rights beyond it
    #[arg(short, long)]
    pub namespace: Option<String>,
    /// The kubeconfig to use
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// The context of the kubeconfig to use
    #[arg(long)]
    pub context: Option<String>,
}

/// Who is let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Auth {
    /// Everybody on this machine
    None,
    /// Whoever has a bearer token of the cluster
    Token,
}

impl Flags {
    /// Where to listen.
    pub fn listen(&self) -> SocketAddr {
        SocketAddr::new(self.address, self.port)
    }

    /// The rule for incoming requests.
    ///
    /// # Errors
    /// A sentence, when everybody in the network would be let in.
    pub fn door(&self) -> Result<Door, String> {
        match self.auth {
            Auth::Token => Ok(Door::Token { public: self.public_url.clone() }),
            Auth::None if self.address.is_loopback() => Ok(Door::Loopback),
            Auth::None => Err(format!(
                "listening on {} would let everybody in who reaches it: add --auth token, or listen on 127.0.0.1",
                self.address
            )),
        }
    }
}

/// A path without slashes at its ends; it becomes part of the page, so nothing else than names is allowed.
fn root_path(text: &str) -> Result<String, String> {
    let path = text.trim_matches('/');
    let plain = |character: char| character.is_ascii_alphanumeric() || "-._~/".contains(character);
    if path.chars().all(plain) && !path.split('/').any(|part| part == "..") && !path.contains("//") {
        return Ok(path.to_owned());
    }
    Err("use letters, digits, -, ., _ and ~, and / between names".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags(arguments: &[&str]) -> Flags {
        Flags::try_parse_from([&["serin-dashboard"], arguments].concat()).unwrap()
    }

    #[test]
    fn it_listens_beyond_this_machine_only_with_tokens() {
        for (arguments, door) in [
            (vec![], Some(Door::Loopback)),
            (vec!["--address", "::1"], Some(Door::Loopback)),
            (vec!["--address", "127.0.0.2", "--allow-actions"], Some(Door::Loopback)),
            (vec!["--address", "0.0.0.0"], None),
            (vec!["--address", "::"], None),
            (vec!["--address", "10.0.0.7", "--auth", "none"], None),
            (vec!["--address", "0.0.0.0", "--auth", "token"], Some(Door::Token { public: None })),
            (vec!["--auth", "token"], Some(Door::Token { public: None })),
        ] {
            assert_eq!(flags(&arguments).door().ok(), door, "{arguments:?}");
        }
    }

    #[test]
    fn nothing_can_be_changed_unless_it_is_asked_for() {
        assert!(!flags(&[]).allow_actions);
        assert!(flags(&["--allow-actions"]).allow_actions);
    }

    #[test]
    fn the_root_path_is_made_of_names() {
        for (text, expected) in [
            ("rollouts", Some("rollouts")),
            ("/a/b/", Some("a/b")),
            ("/", Some("")),
            ("a b", None),
            ("\"><script>", None),
            ("a/../b", None),
            ("a//b", None),
            ("{x}", None),
        ] {
            assert_eq!(root_path(text).ok().as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn the_command_line_is_well_formed() {
        use clap::CommandFactory;
        Flags::command().debug_assert();
    }
}
