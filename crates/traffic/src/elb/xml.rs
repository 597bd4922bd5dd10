//! Reads the XML that Elastic Load Balancing answers with: lists are elements `member`.

use std::collections::BTreeMap;
use std::fmt;

use roxmltree::Node;
use serde_json::{Map, Value, json};

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// What was asked for by name does not exist.
    Missing,
    /// AWS says code and message, or what it says is none of its answers.
    Said(String),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("it does not exist"),
            Self::Said(text) => f.write_str(text),
        }
    }
}

/// An answer that is not looked into yet.
pub(super) struct Answer<'a>(&'a str);

impl<'a> Answer<'a> {
    /// Takes an answer, or AWS's reason for none.
    pub(super) fn read(status: u16, body: &'a str) -> Result<Self, Refusal> {
        if status == 200 {
            return Ok(Self(body));
        }
        let shown: String = body.trim().chars().take(200).collect();
        let unread = Refusal::Said(format!("it answered with status {status}: {shown}"));
        let Ok(document) = roxmltree::Document::parse(body) else { return Err(unread) };
        let root = document.root();
        match (below(root, "Code").and_then(text), below(root, "Message").and_then(text)) {
            (Some("LoadBalancerNotFound"), _) => Err(Refusal::Missing),
            (Some(code), message) => Err(Refusal::Said(format!("{code}: {}", message.unwrap_or_default()))),
            (None, _) => Err(unread),
        }
    }

    /// Looks into it.
    pub(super) fn inspect(&self, look: impl FnOnce(&Document)) -> Result<(), String> {
        let document = roxmltree::Document::parse(self.0)
            .map_err(|error| format!("the answer is no XML that can be read ({error})"))?;
        look(&Document(document.root()));
        Ok(())
    }
}

/// The elements of an answer.
pub(super) struct Document<'a>(Node<'a, 'a>);

impl Document<'_> {
    /// Where the next page begins.
    pub(super) fn marker(&self) -> Option<String> {
        below(self.0, "NextMarker").and_then(text).map(str::to_owned)
    }

    /// One text of each member of a list.
    pub(super) fn texts(&self, list: &str, name: &str) -> Vec<String> {
        let texts = members(self.0, list).filter_map(|member| text(child(member, name)?));
        texts.map(str::to_owned).collect()
    }

    /// The load balancer with this host name: `name`, `fullName` (its dimension in CloudWatch) and `arn`.
    pub(super) fn load_balancer(&self, host: &str) -> Option<Value> {
        let here = |member: &Node| {
            let name = child(*member, "DNSName").and_then(text);
            name.is_some_and(|name| name.eq_ignore_ascii_case(host))
        };
        let found = members(self.0, "LoadBalancers").find(here)?;
        let arn = child(found, "LoadBalancerArn").and_then(text)?;
        let name = child(found, "LoadBalancerName").and_then(text)?;
        let full = arn.split_once("loadbalancer/").map_or(name, |(_, full)| full);
        Some(json!({"name": name, "fullName": full, "arn": arn}))
    }

    /// Target groups by ARN: `name`, `fullName` and `arn`.
    pub(super) fn target_groups(&self) -> BTreeMap<String, Value> {
        let group = |member: Node| {
            let arn = child(member, "TargetGroupArn").and_then(text)?;
            let name = child(member, "TargetGroupName").and_then(text)?;
            let full = arn.rsplit_once(':').map_or(name, |(_, full)| full);
            Some((arn.to_owned(), json!({"name": name, "fullName": full, "arn": arn})))
        };
        members(self.0, "TargetGroups").filter_map(group).collect()
    }

    /// The values of one tag, by ARN.
    pub(super) fn tags(&self, key: &str) -> Vec<(String, String)> {
        let value = |member: Node| {
            let arn = child(member, "ResourceArn").and_then(text)?;
            let mut tags = child(member, "Tags")?.children().filter(Node::is_element);
            let tag = tags.find(|tag| child(*tag, "Key").and_then(text) == Some(key))?;
            Some((arn.to_owned(), child(tag, "Value").and_then(text)?.to_owned()))
        };
        members(self.0, "TagDescriptions").filter_map(value).collect()
    }

    /// The weights by the ARN of the target group, for each action that forwards.
    pub(super) fn forwards(&self) -> Vec<Value> {
        let actions = members(self.0, "Rules").filter_map(|rule| child(rule, "Actions"));
        let actions = actions.flat_map(|actions| actions.children().filter(Node::is_element));
        actions.filter_map(forward).map(Value::Object).collect()
    }
}

fn forward(action: Node) -> Option<Map<String, Value>> {
    if child(action, "Type").and_then(text) != Some("forward") {
        return None;
    }
    let groups = child(action, "ForwardConfig").and_then(|config| child(config, "TargetGroups"));
    let weighted = groups.into_iter().flat_map(|groups| groups.children().filter(Node::is_element));
    let weighted = weighted.filter_map(|group| {
        let arn = child(group, "TargetGroupArn").and_then(text)?;
        // AWS gives a target group without weight the weight 1.
        let weight =
            child(group, "Weight").and_then(text).map_or(Some(1), |weight| weight.parse::<u32>().ok())?;
        Some((arn.to_owned(), json!(weight)))
    });
    let weights: Map<_, _> = weighted.collect();
    if !weights.is_empty() {
        return Some(weights);
    }
    let only = child(action, "TargetGroupArn").and_then(text)?;
    Some(Map::from_iter([(only.to_owned(), json!(1))]))
}

fn members<'a>(node: Node<'a, 'a>, list: &str) -> impl Iterator<Item = Node<'a, 'a>> + use<'a> {
    let list = below(node, list);
    list.into_iter().flat_map(|list| list.children().filter(Node::is_element))
}

fn below<'a>(node: Node<'a, 'a>, name: &str) -> Option<Node<'a, 'a>> {
    node.descendants().find(|node| node.tag_name().name() == name)
}

fn child<'a>(node: Node<'a, 'a>, name: &str) -> Option<Node<'a, 'a>> {
    node.children().find(|child| child.tag_name().name() == name)
}

fn text<'a>(node: Node<'a, 'a>) -> Option<&'a str> {
    node.text().map(str::trim).filter(|text| !text.is_empty())
}
