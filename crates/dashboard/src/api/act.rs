//! Answers requests for changes: decides from the Rollout as it is now, and performs what was decided and confirmed.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use jiff::Timestamp;
use kube::Client;
use serde::Deserialize;
use serin_api::Rollout;
use serin_view::change::Change;

use super::Known;
use crate::app::App;
use crate::change::Decision;
use crate::cluster::{Rejected, read, send};
use crate::failure::{Failure, Kind};
use crate::table::Place;
use crate::verb::Verb;

/// How often a Rollout that changes all the time is read again.
const ATTEMPTS: usize = 5;

/// What a body may say; what other clients say besides is left out.
#[derive(Clone, Debug, Default, Deserialize)]
struct Asked {
    /// Promote to the end.
    #[serde(default)]
    full: bool,
    /// Promote over the current step. Serin's own.
    #[serde(default)]
    skip: bool,
    /// The effect that a person has confirmed; another one is not brought about. Serin's own.
    expects: Option<String>,
}

impl Asked {
    fn of(body: &Bytes) -> Result<Self, Failure> {
        if body.is_empty() {
            return Ok(Self::default());
        }
        serde_json::from_slice(body)
            .map_err(|why| Failure::new(Kind::Invalid, format!("the body cannot be read: {why}")))
    }
}

type Answer = Result<Json<Rollout>, Failure>;
type Named = Path<(String, String)>;

/// `PUT …/promote`.
pub(super) async fn promote(
    State(app): State<Arc<App>>,
    caller: Known,
    Path((namespace, name)): Named,
    body: Bytes,
) -> Answer {
    let asked = Asked::of(&body)?;
    let verb = match (asked.full, asked.skip) {
        (true, _) => Verb::PromoteFull,
        (false, true) => Verb::Skip,
        (false, false) => Verb::Promote,
    };
    perform(&app, &caller, &Place::new(&namespace, &name), &verb, &body).await
}

/// `PUT …/abort`.
pub(super) async fn abort(
    State(app): State<Arc<App>>,
    caller: Known,
    Path((namespace, name)): Named,
    body: Bytes,
) -> Answer {
    perform(&app, &caller, &Place::new(&namespace, &name), &Verb::Abort, &body).await
}

/// `PUT …/retry`.
pub(super) async fn retry(
    State(app): State<Arc<App>>,
    caller: Known,
    Path((namespace, name)): Named,
    body: Bytes,
) -> Answer {
    perform(&app, &caller, &Place::new(&namespace, &name), &Verb::Retry, &body).await
}

/// `PUT …/restart`.
pub(super) async fn restart(
    State(app): State<Arc<App>>,
    caller: Known,
    Path((namespace, name)): Named,
    body: Bytes,
) -> Answer {
    perform(&app, &caller, &Place::new(&namespace, &name), &Verb::Restart, &body).await
}

/// `PUT …/set/{container}/{image}/{tag}`; the image may have slashes itself.
pub(super) async fn set_image(
    State(app): State<Arc<App>>,
    caller: Known,
    Path((namespace, name, container, image)): Path<(String, String, String, String)>,
    body: Bytes,
) -> Answer {
    let verb = Verb::SetImage { container, image: tagged(&image)? };
    perform(&app, &caller, &Place::new(&namespace, &name), &verb, &body).await
}

/// `image/tag` as the path says it. A digest has an algorithm, which no tag has.
fn tagged(path: &str) -> Result<String, Failure> {
    match path.rsplit_once('/') {
        Some((image, tag)) if !image.is_empty() && !tag.is_empty() => {
            let separator = if tag.contains(':') { '@' } else { ':' };
            Ok(format!("{image}{separator}{tag}"))
        }
        _ => Err(Failure::new(
            Kind::Invalid,
            format!("\"{path}\" is no image and tag; the path ends with IMAGE/TAG"),
        )),
    }
}

/// `PUT …/undo/{revision}`.
pub(super) async fn undo(
    State(app): State<Arc<App>>,
    caller: Known,
    Path((namespace, name, revision)): Path<(String, String, String)>,
    body: Bytes,
) -> Answer {
    let revision = revision.parse().map_err(|_| {
        Failure::new(
            Kind::Invalid,
            format!("\"{revision}\" is no revision; give a number, 0 for the one before"),
        )
    })?;
    perform(&app, &caller, &Place::new(&namespace, &name), &Verb::Undo { revision }, &body).await
}

async fn perform(app: &App, caller: &Known, place: &Place, verb: &Verb, body: &Bytes) -> Answer {
    let asked = Asked::of(body)?;
    app.access.act(caller, verb, &place.namespace, &place.name).await?;
    let Some(cluster) = &app.cluster else {
        return Err(Failure::new(
            Kind::Unavailable,
            format!("cannot {} {place}: there is no cluster", verb.word()),
        ));
    };
    let client = cluster.as_caller(caller)?;
    let rollout = attempt(&client, place, verb, asked.expects).await?;
    let user = caller.known.as_ref().map_or("", |(user, _)| user.name.as_str());
    tracing::info!(
        user,
        namespace = place.namespace,
        name = place.name,
        "asked to {} a rollout",
        verb.word()
    );
    Ok(Json(rollout))
}

/// Reads, decides and changes. When the Rollout changes in between it is read again, and the same decision is performed;
/// another decision is not.
async fn attempt(
    client: &Client,
    place: &Place,
    verb: &Verb,
    mut expects: Option<String>,
) -> Result<Rollout, Failure> {
    let failed = |kind, why: &str| Err(Failure::new(kind, format!("cannot {} {place}: {why}", verb.word())));
    for _ in 0..ATTEMPTS {
        let (rollout, sets) = read(client, place).await?;
        let (changes, effect) =
            match verb.decide(&rollout, &sets.iter().collect::<Vec<_>>(), Timestamp::now()) {
                Decision::Refuse(why) => return failed(Kind::Refused, &why),
                Decision::Already(_) => return Ok(rollout),
                Decision::Act { changes, effect } => (changes, effect),
            };
        if expects.as_ref().is_some_and(|expected| *expected != effect) {
            return failed(
                Kind::Conflict,
                &format!("it has moved on, and now {effect}; look again and decide again"),
            );
        }
        match send_all(client, place, &changes, rollout).await {
            Ok(rollout) => return Ok(rollout),
            Err(Rejected::Failed(failure)) => return Err(failure),
            Err(Rejected::Stale) => expects = Some(effect),
        }
    }
    failed(Kind::Conflict, "it changes all the time; try again in a moment")
}

async fn send_all(
    client: &Client,
    place: &Place,
    changes: &[Change],
    mut rollout: Rollout,
) -> Result<Rollout, Rejected> {
    for change in changes {
        rollout = send(client, place, change).await?;
    }
    Ok(rollout)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_put_together_from_the_path() {
        for (path, expected) in [
            ("shop/v2", Some("shop:v2")),
            ("registry.example:5000/team/shop/v2", Some("registry.example:5000/team/shop:v2")),
            ("shop/sha256:abc", Some("shop@sha256:abc")),
            ("shop", None),
            ("/v2", None),
            ("shop/", None),
        ] {
            assert_eq!(tagged(path).ok().as_deref(), expected, "{path}");
        }
    }

    #[test]
    fn a_body_may_be_empty_and_may_say_more_than_is_read() {
        assert!(!Asked::of(&Bytes::new()).unwrap().full);
        assert!(Asked::of(&Bytes::from(r#"{"name": "shop", "full": true}"#)).unwrap().full);
        assert_eq!(Asked::of(&Bytes::from("full=true")).unwrap_err().kind, Kind::Invalid);
    }
}
