//! Reads paths into objects of any kind, where a list entry may be told by its fields, and follows them.

use serde_json::Value;
use serin_core::split::Backends;

use crate::patch::escape;

/// A path: the names on the way, each with what tells an entry of the list there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Path {
    tokens: Vec<Token>,
    text: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Token {
    /// Key of a map, or index of a list.
    name: String,
    /// Field, by its keys and indices, and value of one entry of the list at `name`.
    selectors: Vec<(Vec<String>, String)>,
}

/// Where a path leads in an object.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Place<'o> {
    /// JSON pointer of what the value is in.
    pub(super) parent: String,
    /// The last name of the path, as a token of a JSON pointer.
    pub(super) leaf: String,
    /// What told the entries on the way: pointers and the values there.
    pub(super) guards: Vec<(String, Value)>,
    /// The value, when there is one.
    pub(super) value: Option<&'o Value>,
}

/// What a placeholder stands for.
fn placeholder<'b>(name: &str, backends: &'b Backends) -> Option<&'b str> {
    Some(match name {
        "canaryService" => &backends.canary_service,
        "stableService" => &backends.stable_service,
        "namespace" => &backends.namespace,
        "rollout" => &backends.rollout,
        _ => return None,
    })
}

const PLACEHOLDERS: [&str; 4] = ["canaryService", "stableService", "namespace", "rollout"];

impl Path {
    /// Reads a path.
    ///
    /// # Errors
    /// What is wrong with it, for people.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let Some(rest) = text.strip_prefix('/') else {
            return Err("must begin with /, as in /spec/routes[name=web]/weight".to_owned());
        };
        let tokens =
            split(rest)?.into_iter().map(|token| Token::read(&token)).collect::<Result<Vec<_>, _>>()?;
        if tokens.last().is_none_or(|last| !last.selectors.is_empty()) {
            return Err("must end in the name of a field, not in an entry of a list".to_owned());
        }
        Ok(Self { tokens, text: text.to_owned() })
    }

    /// The first name, which is the part of the object that the path is about.
    pub(super) fn part(&self) -> &str {
        self.tokens.first().map_or("", |token| token.name.as_str())
    }

    /// Follows the path; the value itself may be missing, what is before it may not.
    ///
    /// # Errors
    /// What is not there, or is there several times, for people.
    pub(super) fn follow<'o>(&self, object: &'o Value, backends: &Backends) -> Result<Place<'o>, String> {
        let Some((last, way)) = self.tokens.split_last() else {
            return Err("the path is empty".to_owned());
        };
        let (mut here, mut at, mut guards) = (object, String::new(), Vec::new());
        for token in way {
            let name = filled(&token.name, backends);
            let below = child(here, &name).ok_or_else(|| format!("nothing is at {at}/{name}"))?;
            at = format!("{at}/{}", escape(&name));
            (here, at) = token.entry(below, at, backends, &mut guards)?;
        }
        let leaf = filled(&last.name, backends);
        if !here.is_object() && child(here, &leaf).is_none() {
            return Err(format!("{at} holds no field {leaf}"));
        }
        Ok(Place { parent: at, leaf: escape(&leaf), guards, value: child(here, &leaf) })
    }
}

impl std::fmt::Display for Path {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

/// Splits at slashes that are not within brackets.
fn split(text: &str) -> Result<Vec<String>, String> {
    let (mut tokens, mut token, mut within) = (Vec::new(), String::new(), false);
    for c in text.chars() {
        match c {
            '[' if within => return Err("has [ within [ ]".to_owned()),
            '/' if !within => {
                tokens.push(std::mem::take(&mut token));
                continue;
            }
            '[' => within = true,
            ']' => within = false,
            _ => {}
        }
        token.push(c);
    }
    tokens.push(token);
    if within { Err("has [ without ]".to_owned()) } else { Ok(tokens) }
}

impl Token {
    fn read(text: &str) -> Result<Self, String> {
        let mut parts = text.split('[');
        let name = parts.next().unwrap_or_default();
        if name.is_empty() {
            return Err("has an empty name between two slashes".to_owned());
        }
        let name = name.replace("~1", "/").replace("~0", "~");
        check(&name)?;
        let selectors = parts.map(|part| {
            let inner = part.strip_suffix(']').ok_or_else(|| format!("has {part} after ]"))?;
            let (field, value) = inner
                .split_once('=')
                .filter(|(field, _)| !field.is_empty())
                .ok_or_else(|| format!("has [{inner}], which is not of the form [field=value]"))?;
            check(value)?;
            Ok((field.split('.').map(str::to_owned).collect(), value.to_owned()))
        });
        Ok(Self { name, selectors: selectors.collect::<Result<_, String>>()? })
    }

    /// The entry of the list at `at` that the selectors tell; the value at `at` itself without any.
    fn entry<'o>(
        &self,
        value: &'o Value,
        at: String,
        backends: &Backends,
        guards: &mut Vec<(String, Value)>,
    ) -> Result<(&'o Value, String), String> {
        if self.selectors.is_empty() {
            return Ok((value, at));
        }
        let wanted: Vec<_> =
            self.selectors.iter().map(|(field, value)| (field, filled(value, backends))).collect();
        let told = |entry: &Value| {
            wanted.iter().all(|(field, value)| inner(entry, field).is_some_and(|shown| said(shown) == *value))
        };
        let entries = value.as_array().map_or(&[][..], Vec::as_slice).iter().enumerate();
        let found: Vec<_> = entries.filter(|(_, entry)| told(entry)).collect();
        let words = || {
            let words = wanted.iter().map(|(field, value)| format!("{}={value}", field.join(".")));
            words.collect::<Vec<_>>().join(", ")
        };
        match found.as_slice() {
            [(index, entry)] => {
                let at = format!("{at}/{index}");
                for (field, _) in &wanted {
                    let keys = field.iter().map(|key| format!("/{}", escape(key))).collect::<String>();
                    let shown = inner(entry, field).cloned().unwrap_or_default();
                    guards.push((format!("{at}{keys}"), shown));
                }
                Ok((entry, at))
            }
            [] => Err(format!("no entry of {at} has {}", words())),
            many => Err(format!("{} entries of {at} have {}", many.len(), words())),
        }
    }
}

fn child<'o>(value: &'o Value, name: &str) -> Option<&'o Value> {
    match value {
        Value::Object(map) => map.get(name),
        Value::Array(list) => list.get(name.parse::<usize>().ok()?),
        _ => None,
    }
}

fn inner<'o>(value: &'o Value, field: &[String]) -> Option<&'o Value> {
    field.iter().try_fold(value, |value, key| child(value, key))
}

/// A value as it stands in a selector.
fn said(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The text with what its placeholders stand for.
fn filled(text: &str, backends: &Backends) -> String {
    PLACEHOLDERS.iter().fold(text.to_owned(), |text, name| {
        let value = placeholder(name, backends).unwrap_or_default();
        text.replace(&format!("{{{name}}}"), value)
    })
}

fn check(text: &str) -> Result<(), String> {
    let rest =
        PLACEHOLDERS.iter().fold(text.to_owned(), |text, name| text.replace(&format!("{{{name}}}"), ""));
    if rest.contains(['{', '}']) {
        let known = PLACEHOLDERS.map(|name| format!("{{{name}}}")).join(", ");
        return Err(format!("has a placeholder that is not one of {known}"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn backends() -> Backends {
        serde_json::from_value(json!({
            "namespace": "shop", "rollout": "web", "canaryService": "web-canary", "stableService": "web-stable",
            "canaryHash": "", "stableHash": "", "managedRoutes": [],
        }))
        .unwrap()
    }

    fn object() -> Value {
        json!({"spec": {
            "percent": 5,
            "a/b": {"w": 1},
            "routes": [
                {"name": "api", "to": []},
                {"name": "web", "on": [{"path": "/x"}], "to": [
                    {"service": "web-stable", "port": 80, "w": 80},
                    {"service": "web-canary", "port": 80, "w": 20},
                    {"service": "other", "port": 80},
                ]},
            ],
        }})
    }

    #[test]
    fn a_path_leads_to_one_place_and_says_what_told_it() {
        let object = object();
        for (path, pointer, value, guards) in [
            ("/spec/percent", "/spec/percent", Some(json!(5)), json!([])),
            ("/spec/absent", "/spec/absent", None, json!([])),
            ("/spec/a~1b/w", "/spec/a~1b/w", Some(json!(1)), json!([])),
            ("/spec/routes/1/to/0/w", "/spec/routes/1/to/0/w", Some(json!(80)), json!([])),
            (
                "/spec/routes[name={rollout}]/to[service={canaryService}]/w",
                "/spec/routes/1/to/1/w",
                Some(json!(20)),
                json!([["/spec/routes/1/name", "web"], ["/spec/routes/1/to/1/service", "web-canary"]]),
            ),
            (
                "/spec/routes[on.0.path=/x]/to[service=other][port=80]/w",
                "/spec/routes/1/to/2/w",
                None,
                json!([
                    ["/spec/routes/1/on/0/path", "/x"],
                    ["/spec/routes/1/to/2/service", "other"],
                    ["/spec/routes/1/to/2/port", 80],
                ]),
            ),
        ] {
            let place = Path::read(path).unwrap().follow(&object, &backends()).unwrap();
            assert_eq!(format!("{}/{}", place.parent, place.leaf), pointer, "{path}");
            assert_eq!((place.value.cloned(), json!(place.guards)), (value, guards), "{path}");
        }
    }

    #[test]
    fn a_path_that_leads_nowhere_or_to_several_places_says_so() {
        for (path, words) in [
            ("/spec/other/w", "nothing is at /spec/other"),
            ("/spec/routes[name=x]/w", "no entry of /spec/routes has name=x"),
            ("/spec/routes[name=web]/to[port=80]/w", "3 entries of /spec/routes/1/to have port=80"),
            ("/spec/routes/7/w", "nothing is at /spec/routes/7"),
            ("/spec/percent/w", "/spec/percent holds no field w"),
            ("/spec/routes/w", "/spec/routes holds no field w"),
        ] {
            assert_eq!(Path::read(path).unwrap().follow(&object(), &backends()).unwrap_err(), words);
        }
    }

    #[test]
    fn a_path_that_cannot_be_read_is_refused_with_what_is_wrong() {
        for (path, words) in [
            ("spec/weight", "must begin with /"),
            ("", "must begin with /"),
            ("/spec//weight", "empty name"),
            ("/spec/", "empty name"),
            ("/spec/a[b=c", "[ without ]"),
            ("/spec/a[b[c]]/w", "[ within [ ]"),
            ("/spec/a[b=c]d/w", "after ]"),
            ("/spec/a[b]/w", "not of the form [field=value]"),
            ("/spec/a[=b]/w", "not of the form [field=value]"),
            ("/spec/a[name=x]", "must end in the name of a field"),
            ("/spec/a[name={service}]/w", "is not one of {canaryService}"),
        ] {
            let why = Path::read(path).unwrap_err();
            assert!(why.contains(words), "{path}: {why}");
        }
    }
}
