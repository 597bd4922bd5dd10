//! Set image: gives containers of the pod template a new image, which begins a new revision.

use serde_json::json;
use serin_api::{RawTemplate, Rollout};
use serin_view::change::Change;
use serin_view::template::containers;

use super::undo::elsewhere;
use crate::change::Decision;

/// The patch names every container that it changes, so that an edit of the list at the same time can never give an
/// image to another container; the stock client writes the whole object instead.
pub(super) fn decide(rollout: &Rollout, container: &str, image: &str) -> Decision {
    if let Some(why) = elsewhere(rollout, "set image") {
        return Decision::Refuse(why);
    }
    let Some(template) = rollout.spec.template.as_ref().map(RawTemplate::value) else {
        return Decision::Refuse("it has no spec.template".to_owned());
    };
    let all = containers(template);
    let wanted: Vec<_> =
        all.iter().filter(|known| container == "*" || known.text("name") == container).collect();
    if wanted.is_empty() {
        let names: Vec<_> = all.iter().map(|known| known.text("name")).collect();
        return Decision::Refuse(format!(
            "unable to find container named \"{container}\"; there is {}",
            names.join(", ")
        ));
    }
    let (mut operations, mut said) = (Vec::new(), Vec::new());
    for known in wanted.into_iter().filter(|known| known.text("image") != image) {
        let path = format!("/spec/template{}", known.pointer);
        operations.push(json!({"op": "test", "path": format!("{path}/name"), "value": known.text("name")}));
        operations.push(json!({"op": "add", "path": format!("{path}/image"), "value": image}));
        said.push(format!("{} changes from {} to {image}", known.text("name"), known.text("image")));
    }
    if operations.is_empty() {
        return Decision::Already(format!("it has the image {image} already"));
    }
    let effect = format!("{}; this begins a new revision", said.join(", "));
    Decision::act(Change::operations(operations), effect)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::rollout;

    fn two_containers() -> Rollout {
        rollout(json!({"spec": {"template": {"spec": {
            "containers": [{"name": "shop", "image": "shop:v1"}, {"name": "proxy", "image": "proxy:v1"}],
            "initContainers": [{"name": "migrate", "image": "shop:v1"}],
        }}}}))
    }

    #[test]
    fn only_the_named_containers_change() {
        for (container, image, place, name, effect) in [
            (
                "proxy",
                "proxy:v2",
                "containers/1",
                "proxy",
                "proxy changes from proxy:v1 to proxy:v2; this begins a new revision",
            ),
            (
                "migrate",
                "shop:v2",
                "initContainers/0",
                "migrate",
                "migrate changes from shop:v1 to shop:v2; this begins a new revision",
            ),
            (
                "*",
                "shop:v1",
                "containers/1",
                "proxy",
                "proxy changes from proxy:v1 to shop:v1; this begins a new revision",
            ),
        ] {
            let path = format!("/spec/template/spec/{place}");
            let operations = vec![
                json!({"op": "test", "path": format!("{path}/name"), "value": name}),
                json!({"op": "add", "path": format!("{path}/image"), "value": image}),
            ];
            let expected = Decision::act(Change::operations(operations), effect.to_owned());
            assert_eq!(decide(&two_containers(), container, image), expected, "{container}");
        }
    }

    #[test]
    fn what_cannot_change_is_said_by_name() {
        let by_reference =
            rollout(json!({"spec": {"workloadRef": {"kind": "Deployment", "name": "shop-d"}}}));
        for (rollout, container, expected) in [
            (
                two_containers(),
                "web",
                Decision::Refuse(
                    "unable to find container named \"web\"; there is shop, proxy, migrate".to_owned(),
                ),
            ),
            (two_containers(), "shop", Decision::Already("it has the image shop:v1 already".to_owned())),
            (
                by_reference,
                "shop",
                Decision::Refuse(
                    "its pods come from deployment \"shop-d\"; set image there instead".to_owned(),
                ),
            ),
        ] {
            assert_eq!(decide(&rollout, container, "shop:v1"), expected, "{container}");
        }
    }
}
