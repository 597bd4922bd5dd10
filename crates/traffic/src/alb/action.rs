//! Says a forward action of the AWS load balancer controller as text, with the keys in the order that tools compare, and
//! reads one as the controller does: keys in any case.

use serde::Serialize;
use serde_json::Value;
use serin_api::StickinessConfig;

use crate::object;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Action<'a> {
    r#type: &'static str,
    forward_config: ForwardConfig<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ForwardConfig<'a> {
    target_groups: Vec<TargetGroup<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target_group_stickiness_config: Option<Stickiness>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct TargetGroup<'a> {
    service_name: &'a str,
    service_port: String,
    weight: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Stickiness {
    enabled: bool,
    duration_seconds: i64,
}

/// The action that forwards to Services by weight.
pub(super) fn forward(groups: &[(&str, u32)], port: i32, stickiness: Option<&StickinessConfig>) -> String {
    let target_groups = groups.iter().map(|(service, weight)| TargetGroup {
        service_name: service,
        service_port: port.to_string(),
        weight: *weight,
    });
    let stickiness = stickiness
        .filter(|config| config.enabled)
        .map(|config| Stickiness { enabled: true, duration_seconds: config.duration_seconds });
    let forward_config =
        ForwardConfig { target_groups: target_groups.collect(), target_group_stickiness_config: stickiness };
    serde_json::to_string(&Action { r#type: "forward", forward_config }).unwrap_or_default()
}

/// The Services of a forward action with their weights; `None` when it is none.
pub(super) fn read(text: &str) -> Option<Vec<(String, u32)>> {
    let action: Value = serde_json::from_str(text).ok()?;
    let groups = field(field(&action, "forwardConfig")?, "targetGroups")?.as_array()?;
    let group = |group: &Value| {
        let weight = field(group, "weight").filter(|weight| !weight.is_null());
        let service = field(group, "serviceName")?.as_str()?.to_owned();
        // AWS gives a target group without weight the weight 1.
        Some((service, weight.map_or(Some(1), object::count)?))
    };
    groups.iter().map(group).collect()
}

fn field<'v>(value: &'v Value, name: &str) -> Option<&'v Value> {
    value.as_object()?.iter().find_map(|(key, value)| key.eq_ignore_ascii_case(name).then_some(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_has_its_keys_in_the_order_that_tools_compare() {
        let groups = [("canary", 20), ("stable", 80)];
        let plain = r#"{"Type":"forward","ForwardConfig":{"TargetGroups":[{"ServiceName":"canary","ServicePort":"8080","Weight":20},{"ServiceName":"stable","ServicePort":"8080","Weight":80}]}}"#;
        assert_eq!(forward(&groups, 8080, None), plain);
        let off = StickinessConfig { enabled: false, duration_seconds: 60 };
        assert_eq!(forward(&groups, 8080, Some(&off)), plain);
        let sticky = r#"{"Type":"forward","ForwardConfig":{"TargetGroups":[{"ServiceName":"stable","ServicePort":"80","Weight":100}],"TargetGroupStickinessConfig":{"Enabled":true,"DurationSeconds":60}}}"#;
        let on = StickinessConfig { enabled: true, duration_seconds: 60 };
        assert_eq!(forward(&[("stable", 100)], 80, Some(&on)), sticky);
    }

    #[test]
    fn actions_are_read_as_people_write_them() {
        let group = |service: &str, weight| (service.to_owned(), weight);
        for (text, expected) in [
            (
                r#"{"type":"forward","forwardConfig":{"targetGroups":[{"serviceName":"a","servicePort":80,"weight":3},{"serviceName":"b"}]}}"#,
                Some(vec![group("a", 3), group("b", 1)]),
            ),
            (r#"{"Type":"redirect","RedirectConfig":{}}"#, None),
            (r#"{"Type":"forward","TargetGroupARN":"arn"}"#, None),
            ("{", None),
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
    }
}
