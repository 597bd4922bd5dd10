//! Says why a router cannot do its work: which object, in which namespace, which field, and what to do.

use serde::{Deserialize, Serialize};
use serin_core::seen::ObjectKey;

/// Something that the spec names is missing or cannot be used.
///
/// It is an observation, not a mistake for ever: it is gone as soon as the object is there and usable.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: Invalid value: \"{value}\": {cause}")]
pub struct Refusal {
    /// The field of the Rollout that names it.
    pub path: String,
    /// The value of that field.
    pub value: String,
    /// What is wrong.
    pub cause: Cause,
}

/// Which of the two revisions a destination stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Role {
    /// The new revision.
    Canary,
    /// The revision that is known to be good.
    Stable,
}

impl std::fmt::Display for Role {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Canary => "Canary",
            Self::Stable => "Stable",
        })
    }
}

/// What is wrong with an object that the spec names. The first words of several of these are known to users of Argo
/// Rollouts and to the tools they built; the remedy follows them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Cause {
    /// The API server has no such object.
    #[error("{} \"{}\" not found in namespace \"{}\"; create it, the rollout goes on by itself", .object.kind, .object.name, .object.namespace)]
    Missing {
        /// The object.
        object: ObjectKey,
    },
    /// The object has nothing that could be weighted.
    #[error("{object} has no {wanted}; add one with both destinations")]
    Empty {
        /// The object.
        object: ObjectKey,
        /// What it should have.
        wanted: &'static str,
    },
    /// No route was named and there are several.
    #[error(
        "spec.http[] should be set in VirtualService and it must have exactly one route when omitting spec.strategy.canary.trafficRouting.istio.virtualService.routes; {object} has {count}: name those to be weighted in routes"
    )]
    Ambiguous {
        /// The VirtualService.
        object: ObjectKey,
        /// How many routes it has that steps did not add.
        count: usize,
    },
    /// A route that the spec names is not in the object.
    #[error(
        "{kind} Route '{route}' is not found in the defined Virtual Service. {object} has {known}; name one of them or add the route"
    )]
    RouteMissing {
        /// The VirtualService.
        object: ObjectKey,
        /// HTTP, TLS or TCP.
        kind: &'static str,
        /// The route, as the spec tells it from others.
        route: String,
        /// What the object has, for people.
        known: String,
    },
    /// A route lacks the destination of one role.
    #[error("{role} {what} '{name}' not found in route; add a destination for it to {path} of {object}")]
    DestinationMissing {
        /// The object.
        object: ObjectKey,
        /// JSON pointer of the route.
        path: String,
        /// Whose destination.
        role: Role,
        /// `Service` or `DestinationRule subset`.
        what: &'static str,
        /// Its name.
        name: String,
    },
    /// A route has two destinations for one role, so that its weight is not one number.
    #[error("{role} {what} '{name}' found twice in route {path} of {object}; keep one destination for it")]
    DestinationTwice {
        /// The object.
        object: ObjectKey,
        /// JSON pointer of the route.
        path: String,
        /// Whose destination.
        role: Role,
        /// `Service` or `DestinationRule subset`.
        what: &'static str,
        /// Its name.
        name: String,
    },
    /// No rule of a route object has both Services.
    #[error(
        "{object} has no rule with both backendRefs \"{canary}\" (canary) and \"{stable}\" (stable) of namespace \"{namespace}\"; add both to one rule"
    )]
    BackendsMissing {
        /// The route object.
        object: ObjectKey,
        /// Service of the canary.
        canary: String,
        /// Service of stable.
        stable: String,
        /// Namespace in which they are looked for.
        namespace: String,
    },
    /// A gateway cannot do what the spec asks for.
    #[error(
        "{object} does not list {feature} in status.supportedFeatures, and requests would fail; remove {asked_by}, or use gateways that can"
    )]
    Unsupported {
        /// Class of the gateway.
        object: ObjectKey,
        /// What it lacks, by the name that the Gateway API gives it.
        feature: &'static str,
        /// What of the spec needs it.
        asked_by: &'static str,
    },
    /// Session affinity has no place for its cookie: the user changes the headers of the same answers.
    #[error(
        "sessionAffinity sets a cookie at {path} of {object}, which has {found} of its own; move that to where it holds for the whole rule"
    )]
    HeadersTaken {
        /// The object.
        object: ObjectKey,
        /// JSON pointer of the destination.
        path: String,
        /// What is in the way.
        found: &'static str,
    },
    /// Nothing that is weighted has cookies.
    #[error(
        "no weighted route of {object} is for HTTP, and nothing else has cookies; remove trafficRouting.sessionAffinity"
    )]
    NoCookies {
        /// The object.
        object: ObjectKey,
    },
    /// A weighted list lacks one Service; the words are those of Argo's router of that kind.
    #[error("{words}; add \"{name}\" to {path} of {object}")]
    EntryMissing {
        /// The object.
        object: ObjectKey,
        /// The known words.
        words: &'static str,
        /// JSON pointer of the list.
        path: &'static str,
        /// What is missing in it.
        name: String,
    },
    /// A DestinationRule lacks a subset.
    #[error("{role} DestinationRule subset '{subset}' not found in {object}; add it to spec.subsets")]
    SubsetMissing {
        /// The DestinationRule.
        object: ObjectKey,
        /// Whose subset.
        role: Role,
        /// Its name.
        subset: String,
    },
    /// No path of an Ingress leads to a Service.
    #[error("ingress `{}` has no rules using service {service} backend; add a path with that backend to {object}", .object.name)]
    RuleMissing {
        /// The Ingress.
        object: ObjectKey,
        /// The Service.
        service: String,
    },
    /// A Mapping of stable has a weight, so that what the canary leaves is not all it gets.
    #[error("Ambassador mapping {:?} can not define weight; remove spec.weight from {object}", .object.name)]
    Weighted {
        /// The Mapping.
        object: ObjectKey,
    },
    /// An object leads to something else than the stable Service.
    #[error("{object} leads to \"{found}\" and not to the stable Service; make it lead to \"{service}\"")]
    LeadsElsewhere {
        /// The object.
        object: ObjectKey,
        /// The stable Service.
        service: String,
        /// Where it leads.
        found: String,
    },
    /// An object of another namespace does not say that Rollouts of this one may write it.
    #[error(
        "{object} does not admit Rollouts of namespace \"{namespace}\"; its owner adds the annotation {annotation}: {namespace}"
    )]
    NotAdmitted {
        /// The object.
        object: ObjectKey,
        /// Namespace of the Rollout.
        namespace: String,
        /// The annotation that would say so.
        annotation: &'static str,
    },
    /// A path of the generic router leads nowhere, to several places, or to something that is no weight.
    #[error("path {path} does not lead to a weight in {object}: {why}; correct the path or the object")]
    Lost {
        /// The object.
        object: ObjectKey,
        /// The path.
        path: String,
        /// Why, for people.
        why: String,
    },
    /// An object lacks a rule of this name.
    #[error("{object} has no rule \"{rule}\" in {list}; add it, or name another one in {field}")]
    NamedMissing {
        /// The object.
        object: ObjectKey,
        /// Name of the rule.
        rule: String,
        /// Where in the object rules are.
        list: &'static str,
        /// The field of the Rollout that names rules.
        field: &'static str,
    },
    /// Somebody else's ApisixRoute has the name of a managed route.
    #[error("duplicate ApisixRoute [{}] already exists; delete {object} or rename the managed route", .object.name)]
    Duplicate {
        /// The ApisixRoute.
        object: ObjectKey,
    },
    /// An object that the router would make is there already, and not its own.
    #[error("Rollout does not own {} `{}`, {owner} does; delete it or give it another name, the rollout then makes its own {object}", .object.kind, .object.name)]
    NotOwned {
        /// The object.
        object: ObjectKey,
        /// Who does, for people.
        owner: String,
    },
    /// Another Rollout writes the same object.
    #[error(
        "{object} is managed by another Rollout (\"{other}\"); give each Rollout an object of its own, or remove the annotation {annotation} when that Rollout is gone"
    )]
    ManagedByOther {
        /// The object.
        object: ObjectKey,
        /// Name of the other Rollout.
        other: String,
        /// The annotation that says so.
        annotation: &'static str,
    },
}
