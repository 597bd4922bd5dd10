//! What becomes of a write when somebody changes the object between the look and the write: it fails, or it leads to the
//! same end as looking again.

use serde_json::Value;
use serin_core::seen::Seen;
use serin_core::write::Effect;

use crate::case::{Case, apply, cases};
use crate::law::{bare, mask_cookie, without_trials};

/// Every way in which one change of a value could go wrong: a field dropped, a list turned, grown at either end.
fn mutants(object: &Value) -> Vec<(String, Value)> {
    let mut mutants = Vec::new();
    for pointer in pointers(object, "") {
        let mut change = |what: &str, change: &dyn Fn(&mut Value)| {
            let mut mutant = object.clone();
            change(&mut mutant);
            mutants.push((format!("{what} {pointer}"), mutant));
        };
        let (parent, field) = pointer.rsplit_once('/').unwrap();
        change("without", &|mutant| match mutant.pointer_mut(parent).unwrap() {
            Value::Object(map) => drop(map.remove(&field.replace("~1", "/").replace("~0", "~"))),
            Value::Array(list) => drop(list.remove(field.parse().unwrap())),
            _ => unreachable!("{pointer}"),
        });
        if object.pointer(&pointer).unwrap().is_array() {
            let list = |mutant: &mut Value, change: &dyn Fn(&mut Vec<Value>)| {
                change(mutant.pointer_mut(&pointer).unwrap().as_array_mut().unwrap());
            };
            change("reversed", &|mutant| list(mutant, &|list| list.reverse()));
            change("turned", &|mutant| {
                list(mutant, &|list| {
                    let turn = list.len().min(1);
                    list.rotate_left(turn);
                })
            });
            change("grown at the front", &|mutant| {
                list(mutant, &|list| list.insert(0, serde_json::json!({"name": "x"})))
            });
            change("twice", &|mutant| {
                list(mutant, &|list| {
                    if let Some(first) = list.first().cloned() {
                        list.insert(0, first);
                    }
                });
            });
        }
    }
    mutants
}

fn pointers(value: &Value, at: &str) -> Vec<String> {
    let children: Vec<(String, &Value)> = match value {
        Value::Object(map) => {
            let escape = |key: &String| key.replace('~', "~0").replace('/', "~1");
            map.iter().map(|(key, value)| (format!("{at}/{}", escape(key)), value)).collect()
        }
        Value::Array(list) => {
            list.iter().enumerate().map(|(index, value)| (format!("{at}/{index}"), value)).collect()
        }
        _ => Vec::new(),
    };
    let mut all = Vec::new();
    for (path, child) in children {
        let kept = ["/apiVersion", "/kind", "/metadata", "/spec", "/metadata/name", "/metadata/namespace"];
        if !kept.contains(&path.as_str()) {
            all.push(path.clone());
        }
        all.extend(pointers(child, &path));
    }
    all
}

fn without_weights(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let others = map.iter().filter(|(key, _)| *key != "weight");
            others.map(|(key, value)| (key.clone(), without_weights(value))).collect()
        }
        Value::Array(list) => list.iter().map(without_weights).collect(),
        other => other.clone(),
    }
}

fn bare_of(object: &Value, experiments: &[String]) -> Value {
    let mut object = without_weights(object);
    without_trials(&mut object, experiments);
    mask_cookie(&mut object);
    object
}

fn check(case: &Case) -> usize {
    let mut applied = 0;
    for write in case.render(&case.seen) {
        // The precondition of a deletion is the uid, which no change of the object changes.
        if matches!(write.effect, Effect::Delete { .. }) {
            continue;
        }
        // One that is not there yet cannot be changed meanwhile, and "already exists" is an answer of the API server.
        let Some(object) = case.seen[&write.object].fresh() else { continue };
        for (what, mutant) in mutants(object) {
            let mut meanwhile = case.seen.clone();
            meanwhile.insert(write.object.clone(), Seen::Fresh(mutant));
            let mut after = meanwhile.clone();
            if apply(&mut after, &write).is_err() {
                continue;
            }
            applied += 1;
            let (late, again) = (bare(&case.settle(&after).0), bare(&case.settle(&meanwhile).0));
            // An object in which our route cannot be told from another any more is left alone from then on; the write
            // that was under way has then touched weights, cookies and experiments of a route that was ours, or of its twin.
            let [late, again] = match case.refusals(&meanwhile).is_empty() {
                true => [late, again],
                false => [late, again].map(|objects| {
                    objects.iter().map(|object| bare_of(object, &case.backends.experiments)).collect()
                }),
            };
            assert_eq!(late, again, "{}: {what}", case.name);
        }
    }
    applied
}

#[test]
fn a_write_to_an_object_that_was_changed_meanwhile_fails_or_ends_the_same() {
    let applied: usize = cases().iter().map(check).sum();
    assert!(applied > 0, "unrelated changes do not stop a write");
}

#[test]
fn a_mutant_is_rendered_without_harm() {
    for case in cases() {
        for (key, object) in case.seen.iter().filter_map(|(key, seen)| Some((key, seen.fresh()?))) {
            for (what, mutant) in mutants(object) {
                let mut seen = case.seen.clone();
                seen.insert(key.clone(), Seen::Fresh(mutant));
                let (settled, _) = case.settle(&seen);
                let [before, after] = [&seen, &settled].map(|seen| case.refusals(seen).len());
                assert_eq!(before, after, "{}: {what}", case.name);
            }
        }
    }
}
