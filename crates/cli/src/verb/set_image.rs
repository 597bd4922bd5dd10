//! `set image`: gives containers of the pod template new images, which begins a new revision.

use kube::ResourceExt;
use serde_json::{Value, json};
use serin_api::Rollout;
use serin_view::change::{Body, Change, Target};
use serin_view::template::{Container, containers};

use crate::change::Decision;

/// An image for one container, or for all of them with the name `*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewImage {
    /// Name of the container.
    pub container: String,
    /// The image.
    pub image: String,
}

impl std::str::FromStr for NewImage {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('=') {
            Some((container, image)) if !container.is_empty() && !image.is_empty() => {
                Ok(Self { container: container.to_owned(), image: image.to_owned() })
            }
            _ => {
                Err("expected CONTAINER=IMAGE, for example shop=registry.example/shop:v2, or *=IMAGE"
                    .to_owned())
            }
        }
    }
}

/// Decides new images. The patch names every container that it changes, so that an edit of the list at the same time
/// can never give an image to another container; the stock client writes the whole object instead.
pub fn decide(rollout: &Rollout, images: &[NewImage]) -> Decision {
    let name = rollout.name_any();
    if let Some(reference) = &rollout.spec.workload_ref {
        let kind = reference.kind.as_deref().unwrap_or("Deployment").to_lowercase();
        let workload = reference.name.as_deref().unwrap_or_default();
        return Decision::Refuse(format!(
            "its pods come from {kind} \"{workload}\"; `kubectl set image {kind}/{workload} …` changes them"
        ));
    }
    let Some(template) = rollout.spec.template.as_ref().map(serin_api::RawTemplate::value) else {
        return Decision::Refuse("it has no spec.template".to_owned());
    };
    let all = containers(template);
    let mut operations = Vec::new();
    let mut said = Vec::new();
    for new in images {
        let wanted: Vec<_> = all.iter().filter(|container| matches(container, new)).collect();
        if wanted.is_empty() {
            return unknown_container(&new.container, &all);
        }
        for container in wanted.into_iter().filter(|container| container.text("image") != new.image) {
            operations.extend(operations_for(container, &new.image));
            said.push(format!("{} {} -> {}", container.text("name"), container.text("image"), new.image));
        }
    }
    if operations.is_empty() {
        return Decision::Already(format!("rollout \"{name}\" has these images already"));
    }
    Decision::Act {
        changes: vec![Change { target: Target::Object, body: Body::Json(Value::Array(operations)) }],
        said: format!("rollout \"{name}\" image updated: {}", said.join(", ")),
    }
}

fn matches(container: &Container<'_>, new: &NewImage) -> bool {
    new.container == "*" || container.text("name") == new.container
}

fn operations_for(container: &Container<'_>, image: &str) -> [Value; 2] {
    let path = format!("/spec/template{}", container.pointer);
    [
        json!({"op": "test", "path": format!("{path}/name"), "value": container.text("name")}),
        json!({"op": "add", "path": format!("{path}/image"), "value": image}),
    ]
}

fn unknown_container(name: &str, all: &[Container<'_>]) -> Decision {
    let names: Vec<_> = all.iter().map(|container| container.text("name")).collect();
    Decision::Refuse(format!("unable to find container named \"{name}\"; there is {}", names.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::rollout;

    fn images(texts: &[&str]) -> Vec<NewImage> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn two_containers() -> Rollout {
        rollout(json!({"spec": {"template": {"spec": {
            "containers": [{"name": "shop", "image": "shop:v1"}, {"name": "proxy", "image": "proxy:v1"}],
            "initContainers": [{"name": "migrate", "image": "shop:v1"}],
        }}}}))
    }

    #[test]
    fn only_the_named_containers_change() {
        let at = |place: &str, name: &str, image: &str| {
            let path = format!("/spec/template/spec/{place}");
            [
                json!({"op": "test", "path": format!("{path}/name"), "value": name}),
                json!({"op": "add", "path": format!("{path}/image"), "value": image}),
            ]
        };
        for (texts, operations, said) in [
            (
                vec!["proxy=proxy:v2"],
                vec![at("containers/1", "proxy", "proxy:v2")],
                "proxy proxy:v1 -> proxy:v2",
            ),
            (
                vec!["migrate=shop:v2"],
                vec![at("initContainers/0", "migrate", "shop:v2")],
                "migrate shop:v1 -> shop:v2",
            ),
            (vec!["*=shop:v1"], vec![at("containers/1", "proxy", "shop:v1")], "proxy proxy:v1 -> shop:v1"),
            (
                vec!["shop=h:5000/shop@sha256:a=b", "proxy=p"],
                vec![at("containers/0", "shop", "h:5000/shop@sha256:a=b"), at("containers/1", "proxy", "p")],
                "shop shop:v1 -> h:5000/shop@sha256:a=b, proxy proxy:v1 -> p",
            ),
        ] {
            let expected = Decision::Act {
                changes: vec![Change {
                    target: Target::Object,
                    body: Body::Json(operations.concat().into()),
                }],
                said: format!("rollout \"shop\" image updated: {said}"),
            };
            assert_eq!(decide(&two_containers(), &images(&texts)), expected, "{texts:?}");
        }
    }

    #[test]
    fn what_cannot_change_is_said_by_name() {
        let by_reference =
            rollout(json!({"spec": {"workloadRef": {"kind": "Deployment", "name": "shop-d"}}}));
        for (rollout, text, expected) in [
            (
                two_containers(),
                "web=v1",
                Decision::Refuse("unable to find container named \"web\"; there is shop, proxy, migrate".to_owned()),
            ),
            (two_containers(), "shop=shop:v1", Decision::Already("rollout \"shop\" has these images already".to_owned())),
            (
                by_reference,
                "shop=v2",
                Decision::Refuse(
                    "its pods come from deployment \"shop-d\"; `kubectl set image deployment/shop-d …` changes them".to_owned(),
                ),
            ),
        ] {
            assert_eq!(decide(&rollout, &images(&[text])), expected, "{text}");
        }
        assert!("shop".parse::<NewImage>().is_err());
    }
}
