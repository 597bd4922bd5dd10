//! Translates a question about one load balancer to and from the Query API of Elastic Load Balancing (version 2015-12-01):
//! which weights its listeners give to which target groups. Without socket and signature, which are the shell's.
//!
//! The answer stands among the routing objects under a [`key`] of no kind of the cluster, as that of an extension does.

use std::collections::{BTreeMap, VecDeque};

use serde_json::{Value, json};
use serin_core::seen::ObjectKey;

mod question;
mod xml;

use question::Question;

/// Group of the objects that are no objects of the cluster.
const GROUP: &str = "elbv2.serin.dev";
/// More questions than any load balancer needs: AWS allows 100 rules and 50 listeners.
const MOST: usize = 400;

/// The object that stands for what AWS says of the load balancer with this host name.
pub fn key(host: &str) -> ObjectKey {
    ObjectKey::new(GROUP, "v1", "LoadBalancer", "", host)
}

/// Target groups that are known by the Service that they stand for: tags of a target group do not change.
pub type Known = BTreeMap<String, String>;

/// One load balancer, with everything about it that has to be asked.
#[derive(Debug)]
pub struct Survey {
    host: String,
    tag: String,
    open: VecDeque<Question>,
    asked: usize,
    known: Known,
    load_balancer: Value,
    groups: BTreeMap<String, Value>,
    forwards: Vec<Value>,
}

impl Survey {
    /// A survey of the load balancer with this host name, whose target groups say in the tag `tag` whose they are; `known`
    /// is what an earlier one has found out.
    ///
    /// # Errors
    /// The host name is none of a load balancer of AWS; for people.
    pub fn of(host: &str, tag: &str, known: Known) -> Result<Self, String> {
        let name = name(host).ok_or_else(|| {
            format!("\"{host}\" is no host name of an Application Load Balancer, such as shop-1234567890.eu-west-1.elb.amazonaws.com")
        })?;
        Ok(Self {
            host: host.to_owned(),
            tag: tag.to_owned(),
            open: [Question::LoadBalancer { name: name.to_owned() }].into(),
            asked: 0,
            known,
            load_balancer: Value::Null,
            groups: BTreeMap::new(),
            forwards: Vec::new(),
        })
    }

    /// The body of the next request, `application/x-www-form-urlencoded`; `None` when all is known.
    pub fn ask(&self) -> Option<String> {
        self.open.front().map(Question::form)
    }

    /// Takes the answer to the request.
    ///
    /// # Errors
    /// AWS refused, or the answer cannot be read; for people.
    pub fn hear(&mut self, status: u16, body: &str) -> Result<(), String> {
        let Some(question) = self.open.pop_front() else { return Ok(()) };
        self.asked = self.asked.saturating_add(1);
        if self.asked > MOST {
            return Err(format!("{MOST} answers did not tell everything about {}", self.host));
        }
        let text = |why: String| format!("{}: {why}", question.action());
        let answer = xml::Answer::read(status, body).map_err(|refusal| match refusal {
            xml::Refusal::Missing if matches!(question, Question::LoadBalancer { .. }) => String::new(),
            refusal => text(refusal.to_string()),
        });
        match answer {
            Ok(answer) => answer.inspect(|document| self.learn(&question, document)).map_err(text),
            // There is no load balancer of this name: that is an answer.
            Err(why) if why.is_empty() => Ok(()),
            Err(why) => Err(why),
        }
    }

    fn learn(&mut self, question: &Question, document: &xml::Document) {
        match question {
            Question::LoadBalancer { .. } => self.learn_load_balancer(document),
            Question::TargetGroups { load_balancer, .. } => self.learn_groups(load_balancer, document),
            Question::Tags { .. } => {
                for (arn, resource) in document.tags(&self.tag) {
                    self.known.insert(arn, resource);
                }
            }
            Question::Listeners { load_balancer, .. } => {
                let rules = |listener| Question::Rules { listener, marker: None };
                self.open.extend(document.texts("Listeners", "ListenerArn").into_iter().map(rules));
                let next = document.marker();
                self.open.extend(next.map(|marker| Question::Listeners {
                    load_balancer: load_balancer.clone(),
                    marker: Some(marker),
                }));
            }
            Question::Rules { listener, .. } => {
                self.forwards.extend(document.forwards());
                let next = document.marker();
                self.open.extend(
                    next.map(|marker| Question::Rules { listener: listener.clone(), marker: Some(marker) }),
                );
            }
        }
    }

    fn learn_load_balancer(&mut self, document: &xml::Document) {
        let Some(found) = document.load_balancer(&self.host) else { return };
        let arn = found.get("arn").and_then(Value::as_str).unwrap_or_default().to_owned();
        self.load_balancer = found;
        self.open.push_back(Question::TargetGroups { load_balancer: arn.clone(), marker: None });
        self.open.push_back(Question::Listeners { load_balancer: arn, marker: None });
    }

    fn learn_groups(&mut self, load_balancer: &str, document: &xml::Document) {
        let groups = document.target_groups();
        let new: Vec<_> = groups.keys().filter(|arn| !self.known.contains_key(*arn)).cloned().collect();
        // The API takes 20 at a time.
        self.open.extend(new.chunks(20).map(|arns| Question::Tags { arns: arns.to_vec() }));
        self.groups.extend(groups);
        self.open.extend(document.marker().map(|marker| Question::TargetGroups {
            load_balancer: load_balancer.to_owned(),
            marker: Some(marker),
        }));
    }

    /// What was found out, and the target groups that are known now.
    ///
    /// `loadBalancer` is null when there is none, else has `name`, `fullName` and `arn`; `targetGroups` by the resource that
    /// their tag names; `forwards`, one for each action, are weights by resource.
    pub fn told(self) -> (Value, Known) {
        let resource = |arn: &str| self.known.get(arn).cloned().unwrap_or_else(|| arn.to_owned());
        let groups: BTreeMap<_, _> =
            self.groups.iter().map(|(arn, group)| (resource(arn), group.clone())).collect();
        let weights = |forward: &Value| {
            let weights = forward.as_object().into_iter().flatten();
            weights.map(|(arn, weight)| (resource(arn), weight.clone())).collect::<BTreeMap<_, _>>()
        };
        let forwards: Vec<_> = self.forwards.iter().map(weights).collect();
        let found = json!({"loadBalancer": self.load_balancer, "targetGroups": groups, "forwards": forwards});
        let known = self.known.into_iter().filter(|(arn, _)| self.groups.contains_key(arn));
        (found, known.collect())
    }
}

/// The region in the host name of a load balancer.
pub fn region(host: &str) -> Option<&str> {
    let rest = host.split_once('.')?.1;
    let (region, domain) = rest.split_once('.')?;
    ["elb.amazonaws.com", "elb.amazonaws.com.cn"].contains(&domain).then_some(region)
}

/// The name in the host name `[internal-]NAME-ID.REGION.elb.amazonaws.com`; no name may begin with `internal-`.
fn name(host: &str) -> Option<&str> {
    region(host)?;
    let first = host.split_once('.')?.0;
    let (name, _) = first.strip_prefix("internal-").unwrap_or(first).rsplit_once('-')?;
    Some(name).filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests;
