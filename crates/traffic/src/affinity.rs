//! Says session affinity as routes that look at a cookie, and as the header that sets it.

use serin_api::SessionAffinity;
use serin_core::affinity::Affinity;
use serin_core::split::{HeaderMatch, HeaderRoute, Split, StringMatch};

use crate::expression;
use crate::refusal::Role;

/// What follows the seconds in every header of ours: scripts cannot read the cookie, and other sites do not send it.
const ATTRIBUTES: &str = "; HttpOnly; SameSite=Lax";

/// The routes by which users stay, with the side that each one leads to.
pub(crate) fn routes(want: &Split) -> Vec<(HeaderRoute, Role)> {
    let both = |affinity: &Affinity| {
        [(SessionAffinity::CANARY_ROUTE, Role::Canary), (SessionAffinity::STABLE_ROUTE, Role::Stable)]
            .map(|(name, role)| (route(name, &affinity.cookie, &value(affinity, role)), role))
    };
    want.affinity.iter().flat_map(both).collect()
}

/// The side that the route of this name leads to.
pub(crate) fn side(name: &str) -> Role {
    if name.starts_with(SessionAffinity::STABLE_ROUTE) { Role::Stable } else { Role::Canary }
}

fn value(affinity: &Affinity, role: Role) -> String {
    match role {
        Role::Canary => affinity.of_canary(),
        Role::Stable => affinity.of_stable(),
    }
}

/// A request whose cookies have this one. Istio demands the name of the header in lower case.
fn route(name: &str, cookie: &str, value: &str) -> HeaderRoute {
    let [cookie, value] = [cookie, value].map(expression::literal);
    let value = StringMatch::Regex(format!("^(.*; *)?{cookie}={value}(;.*)?$"));
    HeaderRoute { name: name.to_owned(), matches: vec![HeaderMatch { name: "cookie".to_owned(), value }] }
}

/// The value of the header `Set-Cookie` for a user whom this side has answered.
pub(crate) fn set_cookie(affinity: &Affinity, role: Role) -> String {
    let (cookie, seconds) = (&affinity.cookie, affinity.max_age_seconds);
    let secure = ["__Secure-", "__Host-"].iter().any(|prefix| cookie.starts_with(prefix));
    let secure = if secure { "; Secure" } else { "" };
    format!("{cookie}={}; Path=/; Max-Age={seconds}{secure}{ATTRIBUTES}", value(affinity, role))
}

/// Whether the value of a header `Set-Cookie` is one of ours, of any revision and name.
pub(crate) fn is_ours(header: &str) -> bool {
    let value = header.split_once('=').map_or("", |(_, rest)| rest);
    let value = value.strip_prefix("canary.").or_else(|| value.strip_prefix("stable."));
    value.is_some_and(|rest| rest.contains("; Path=/; Max-Age=") && rest.ends_with(ATTRIBUTES))
}

#[cfg(test)]
mod tests {
    use serin_core::split::Weight;

    use super::*;

    fn affinity(cookie: &str) -> Affinity {
        Affinity {
            cookie: cookie.to_owned(),
            max_age_seconds: 60,
            hash: "7d9".to_owned(),
            weight: Weight(20),
        }
    }

    #[test]
    fn the_cookie_names_the_revision_and_for_stable_the_weight() {
        for (cookie, role, expected) in [
            ("c", Role::Canary, "c=canary.7d9; Path=/; Max-Age=60; HttpOnly; SameSite=Lax"),
            ("c", Role::Stable, "c=stable.7d9.20; Path=/; Max-Age=60; HttpOnly; SameSite=Lax"),
            (
                "__Host-c",
                Role::Canary,
                "__Host-c=canary.7d9; Path=/; Max-Age=60; Secure; HttpOnly; SameSite=Lax",
            ),
        ] {
            let header = set_cookie(&affinity(cookie), role);
            assert_eq!(header, expected);
            assert!(is_ours(&header), "{header}");
        }
        for of_user in ["session=canary.7d9", "c=7d9; Path=/; Max-Age=60; HttpOnly; SameSite=Lax", ""] {
            assert!(!is_ours(of_user), "{of_user}");
        }
    }

    #[test]
    fn only_the_whole_cookie_of_this_revision_leads_somewhere() {
        let split = Split { affinity: Some(affinity("a.b")), ..Split::new(Weight(100), Weight(20)) };
        let matching = |cookies: &str| {
            let leads = |route: &HeaderRoute| match &route.matches[0].value {
                StringMatch::Regex(regex) => regex::Regex::new(regex).unwrap().is_match(cookies),
                other => panic!("{other:?}"),
            };
            routes(&split).into_iter().find(|(route, _)| leads(route)).map(|(_, role)| role)
        };
        for (cookies, expected) in [
            ("a.b=canary.7d9", Some(Role::Canary)),
            ("x=1; a.b=canary.7d9; y=2", Some(Role::Canary)),
            ("x=1;a.b=canary.7d9;y=2", Some(Role::Canary)),
            ("a.b=stable.7d9.20", Some(Role::Stable)),
            ("a.b=stable.7d9.10", None),
            ("a.b=stable.7d9.200", None),
            ("a.b=canary.7d8", None),
            ("a.b=canary.7d90", None),
            ("a.b=canaryx7d9", None),
            ("axb=canary.7d9", None),
            ("xa.b=canary.7d9", None),
            ("x=a.b=canary.7d9", None),
            ("", None),
        ] {
            assert_eq!(matching(cookies), expected, "{cookies}");
        }
    }
}
