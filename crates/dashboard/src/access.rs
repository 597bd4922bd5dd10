//! Decides who a request is from and what they may see and do, by asking the cluster; answers are remembered for a short
//! time.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::http::{HeaderMap, header};
use futures::future::BoxFuture;
use tokio::time::Instant;

use crate::failure::{Failure, Kind};
use crate::verb::Verb;

/// How long an answer of the cluster about a person is believed. Whoever loses a right keeps it for this long.
const BELIEVED: Duration = Duration::from_secs(30);
/// Answers remembered at once; more are from somebody who tries things.
const REMEMBERED: usize = 4096;

/// What one must be allowed to list in a namespace in order to see its Rollouts: everything that is shown of them.
pub const SHOWN: [(&str, &str); 4] =
    [("argoproj.io", "rollouts"), ("argoproj.io", "analysisruns"), ("apps", "replicasets"), ("", "pods")];

/// Who somebody is, as the cluster says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct User {
    /// Name.
    pub name: String,
    /// Identifier, where there is one.
    pub uid: String,
    /// Groups.
    pub groups: Vec<String>,
    /// What else the cluster's authenticator says of them.
    pub extra: Vec<(String, Vec<String>)>,
}

/// What somebody wants to do to objects of one kind, in the words of access rules.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Deed {
    /// Verb, such as `list`.
    pub verb: &'static str,
    /// API group.
    pub group: &'static str,
    /// Kind, in the lower-case plural.
    pub resource: &'static str,
    /// Part of the object.
    pub subresource: Option<&'static str>,
    /// Namespace.
    pub namespace: String,
    /// One object; all when empty.
    pub name: String,
}

impl std::fmt::Display for Deed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let part = self.subresource.map(|part| format!("/{part}")).unwrap_or_default();
        write!(f, "{} {}{part} in namespace \"{}\"", self.verb, self.resource, self.namespace)
    }
}

/// Whoever knows users and their rights; in production the API server.
pub trait Reviewer: Send + Sync {
    /// The user of a token; `None` when it is not valid.
    fn user<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Result<Option<User>, Failure>>;

    /// Whether a user may do something.
    fn may<'a>(&'a self, user: &'a User, deed: &'a Deed) -> BoxFuture<'a, Result<bool, Failure>>;
}

/// Who sent a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Caller {
    /// The user and their token; `None` when everybody who reaches the dashboard is trusted.
    pub known: Option<(User, String)>,
}

/// The rules of one dashboard.
pub struct Access {
    reviewer: Option<Arc<dyn Reviewer>>,
    actions: bool,
    users: Memory<String, User>,
    rights: Memory<(User, Deed), bool>,
}

impl Access {
    /// Without a reviewer everybody may see everything, and do what is allowed to the dashboard itself.
    pub fn new(reviewer: Option<Arc<dyn Reviewer>>, actions: bool) -> Self {
        Self { reviewer, actions, users: Memory::default(), rights: Memory::default() }
    }

    /// Every request needs a token.
    pub fn by_token(&self) -> bool {
        self.reviewer.is_some()
    }

    /// Changes are switched on.
    pub fn actions(&self) -> bool {
        self.actions
    }

    /// Who sent a request with these headers.
    ///
    /// # Errors
    /// [`Kind::Unauthenticated`] without a valid token, where one is needed.
    pub async fn caller(&self, headers: &HeaderMap) -> Result<Caller, Failure> {
        let Some(reviewer) = &self.reviewer else { return Ok(Caller::default()) };
        let Some(token) = bearer(headers) else {
            return Err(Failure::new(
                Kind::Unauthenticated,
                "a token is needed: send the header Authorization: Bearer TOKEN",
            ));
        };
        if let Some(user) = self.users.get(&token.to_owned()) {
            return Ok(Caller { known: Some((user, token.to_owned())) });
        }
        let Some(user) = reviewer.user(token).await? else {
            return Err(Failure::new(
                Kind::Unauthenticated,
                "the cluster does not accept this token; get a new one",
            ));
        };
        self.users.put(token.to_owned(), user.clone());
        Ok(Caller { known: Some((user, token.to_owned())) })
    }

    /// Lets a caller see the Rollouts of a namespace.
    ///
    /// # Errors
    /// [`Kind::Forbidden`] with the right that is missing.
    pub async fn see(&self, caller: &Caller, namespace: &str) -> Result<(), Failure> {
        // Whoever may see all namespaces is asked about once, however many there are.
        match self.list(caller, "").await {
            Err(failure) if failure.kind == Kind::Forbidden => self.list(caller, namespace).await,
            everywhere => everywhere,
        }
    }

    async fn list(&self, caller: &Caller, namespace: &str) -> Result<(), Failure> {
        for (group, resource) in SHOWN {
            let deed =
                Deed { verb: "list", group, resource, namespace: namespace.to_owned(), ..Deed::default() };
            self.allow(caller, &deed).await?;
        }
        Ok(())
    }

    /// Lets a caller do something to a Rollout.
    ///
    /// # Errors
    /// [`Kind::Forbidden`] when changes are switched off, or with the right that is missing.
    pub async fn act(
        &self,
        caller: &Caller,
        verb: &Verb,
        namespace: &str,
        name: &str,
    ) -> Result<(), Failure> {
        if !self.actions {
            let message = format!(
                "cannot {} rollouts: this dashboard only shows; start it with --allow-actions",
                verb.word()
            );
            return Err(Failure::new(Kind::Forbidden, message));
        }
        let deed = Deed {
            verb: "patch",
            group: "argoproj.io",
            resource: "rollouts",
            subresource: verb.subresource(),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        };
        self.allow(caller, &deed).await
    }

    async fn allow(&self, caller: &Caller, deed: &Deed) -> Result<(), Failure> {
        let (Some(reviewer), Some((user, _))) = (&self.reviewer, &caller.known) else { return Ok(()) };
        let question = (user.clone(), deed.clone());
        let allowed = match self.rights.get(&question) {
            Some(known) => known,
            None => {
                let answer = reviewer.may(user, deed).await?;
                self.rights.put(question, answer);
                answer
            }
        };
        if allowed {
            return Ok(());
        }
        let message = format!("{} may not {deed}; ask for a role that allows it", user.name);
        Err(Failure::new(Kind::Forbidden, message))
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    Some(token.trim()).filter(|token| scheme.eq_ignore_ascii_case("bearer") && !token.is_empty())
}

/// Answers with the moment until which they are believed.
struct Memory<K, V>(Mutex<HashMap<K, (Instant, V)>>);

impl<K, V> Default for Memory<K, V> {
    fn default() -> Self {
        Self(Mutex::new(HashMap::new()))
    }
}

impl<K: Eq + Hash, V: Clone> Memory<K, V> {
    fn get(&self, key: &K) -> Option<V> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(key).filter(|(until, _)| *until > Instant::now()).map(|(_, value)| value.clone())
    }

    fn put(&self, key: K, value: V) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if known.len() >= REMEMBERED {
            known.retain(|_, (until, _)| *until > now);
        }
        if known.len() >= REMEMBERED {
            known.clear();
        }
        known.insert(key, (now + BELIEVED, value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::Register;

    fn with(authorization: Option<&'static str>) -> HeaderMap {
        authorization.map(|value| (header::AUTHORIZATION, value.parse().unwrap())).into_iter().collect()
    }

    #[tokio::test]
    async fn a_request_without_a_valid_token_is_from_nobody() {
        let access = Access::new(Some(Arc::new(Register::default())), false);
        for (authorization, expected) in [
            (Some("Bearer ann-token"), Some("ann")),
            (Some("bearer  ann-token"), Some("ann")),
            (Some("Bearer forged"), None),
            (Some("Bearer "), None),
            (Some("ann-token"), None),
            (Some("Basic ann-token"), None),
            (None, None),
        ] {
            let caller = access.caller(&with(authorization)).await;
            match (caller, expected) {
                (Ok(caller), Some(name)) => assert_eq!(caller.known.unwrap().0.name, name),
                (Err(failure), None) => assert_eq!(failure.kind, Kind::Unauthenticated, "{authorization:?}"),
                (found, _) => panic!("{authorization:?}: {found:?}"),
            }
        }
        let open = Access::new(None, false);
        assert_eq!(open.caller(&with(None)).await.unwrap(), Caller::default());
    }

    #[tokio::test]
    async fn people_see_and_do_what_the_cluster_allows_them() {
        let undo = Verb::Undo { revision: 0 };
        let access = |actions| Access::new(Some(Arc::new(Register::default())), actions);
        for (token, actions, verb, see, act) in [
            ("Bearer ann-token", true, &Verb::Abort, "", ""),
            (
                "Bearer ann-token",
                false,
                &Verb::Abort,
                "",
                "cannot abort rollouts: this dashboard only shows; start it with --allow-actions",
            ),
            (
                "Bearer ann-token",
                true,
                &undo,
                "",
                "ann may not patch rollouts in namespace \"web\"; ask for a role that allows it",
            ),
            (
                "Bearer bob-token",
                true,
                &Verb::Abort,
                "bob may not list pods in namespace \"web\"; ask for a role that allows it",
                "bob may not patch rollouts/status in namespace \"web\"; ask for a role that allows it",
            ),
        ] {
            let access = access(actions);
            let caller = access.caller(&with(Some(token))).await.unwrap();
            let said =
                |found: Result<(), Failure>| found.err().map(|failure| failure.message).unwrap_or_default();
            assert_eq!(said(access.see(&caller, "web").await), see, "{token}");
            assert_eq!(said(access.act(&caller, verb, "web", "shop").await), act, "{token}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn answers_are_believed_for_a_short_time() {
        let register = Arc::new(Register::default());
        let access = Access::new(Some(register.clone()), false);
        for (elapsed, asked) in [(0, 1), (29, 1), (2, 2)] {
            tokio::time::advance(Duration::from_secs(elapsed)).await;
            access.caller(&with(Some("Bearer ann-token"))).await.unwrap();
            assert_eq!(register.asked(), asked, "after {elapsed} s more");
        }
    }
}
