//! What conditions refuse, and in which words: every function, every operator, every form that cannot be read.

#[path = "support/condition_functions.rs"]
mod functions;

use jiff::Timestamp;
use serde_json::json;
use serin_analysis::condition::{Condition, judge};
use serin_analysis::provider::Samples;
use serin_api::AnalysisPhase::{self, Error};

fn now() -> Timestamp {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

fn phase_and_message(success: &str, failure: &str, result: Option<&Samples>) -> (AnalysisPhase, String) {
    let read = |code: &str| {
        (!code.is_empty()).then(|| Condition::parse(code).unwrap_or_else(|fault| panic!("{code}: {fault}")))
    };
    let opinion = judge(read(success).as_ref(), read(failure).as_ref(), result, now());
    (opinion.phase, opinion.message)
}

fn list(numbers: &[f64]) -> Option<Samples> {
    Some(Samples::Numbers(numbers.to_vec()))
}

#[test]
fn faults_say_what_is_wrong() {
    let json = Samples::Json(json!({"a": 1, "b": null, "c": "x"}));
    for (code, result, expected) in [
        ("result[3] > 1", list(&[1.0]), "index out of range: 3 (array length is 1)"),
        ("result[-2] > 1", list(&[1.0]), "index out of range: -2 (array length is 1)"),
        (
            "result[0] > 1",
            list(&[]),
            "metric result is nil or empty: no data returned from the metric provider",
        ),
        ("result > 1", None, "metric result is nil or empty: no data returned from the metric provider"),
        ("result[0]", list(&[1.0]), "expected bool, but got 1"),
        ("result", list(&[1.0, 2.0]), "expected bool, but got [1, 2]"),
        ("result.b > 1", Some(json.clone()), "> cannot be applied to nil and 1"),
        ("result.b.d == 1", Some(json.clone()), "cannot fetch d from nil"),
        ("result.c + 1 > 1", Some(json.clone()), "+ cannot be applied to \"x\" and 1"),
        ("result.a && true", Some(json.clone()), "&& needs true or false, not 1"),
        ("!result.a", Some(json.clone()), "! cannot be applied to 1"),
        ("-result.c == 1", Some(json.clone()), "- cannot be applied to \"x\""),
        ("result.a ? true : false", Some(json.clone()), "?: needs true or false, not 1"),
        ("asInt(result.c) == 1", Some(json.clone()), "asInt() not supported on \"x\""),
        ("asFloat(result) == 1", list(&[1.0]), "asFloat() not supported on [1]"),
        ("isNaN(result.c)", Some(json.clone()), "isNaN(\"x\"): not a number"),
        ("all(result.a, # > 1)", Some(json.clone()), "cannot use 1 as a list in all"),
        ("all([1], # + 1)", list(&[1.0]), "predicate of all returned 2, not true or false"),
        ("1 % 0 == 1", list(&[1.0]), "% cannot be applied to 1 and 0"),
        ("\"a\" matches \"(\"", list(&[1.0]), "matches cannot be applied to \"a\" and \"(\""),
        ("len(1..1000000000) > 1", list(&[1.0]), "more than 100000 elements"),
        ("repeat(\"x\", 1000000000) == \"\"", list(&[1.0]), "a text of more than 100000 bytes"),
        ("len(reduce(1..60, #acc + #acc, \"ab\")) > 1", list(&[1.0]), "more than 100000 elements"),
        ("any(1..5000, any(1..5000, # > 9999))", list(&[1.0]), "more than 300000 steps"),
        ("duration(\"soon\") > duration(\"1s\")", list(&[1.0]), "invalid duration soon"),
        ("asInt() == 1", list(&[1.0]), "asInt(): it does not take such arguments"),
        ("default(result) == 1", list(&[1.0]), "default([1]): it does not take such arguments"),
        ("isNil(1, 2)", list(&[1.0]), "isNil(1, 2): it does not take such arguments"),
        ("now(1) == 1", list(&[1.0]), "now(1): it does not take such arguments"),
        ("isInf(\"x\")", list(&[1.0]), "isInf(\"x\"): not a number"),
        ("asInt(asFloat(\"NaN\")) == 1", list(&[1.0]), "asInt() not supported on NaN"),
        ("repeat(\"x\", -1) == \"\"", list(&[1.0]), "cannot repeat -1 times"),
        ("fromJSON(\"{\") == 1", list(&[1.0]), "fromJSON: EOF while parsing an object at line 1 column 1"),
    ] {
        let (phase, message) = phase_and_message(code, "", result.as_ref());
        assert_eq!(phase, Error, "{code}");
        assert_eq!(message, format!("could not evaluate successCondition \"{code}\": {expected}"));
        let (_, message) = phase_and_message("", code, result.as_ref());
        assert!(message.starts_with("could not evaluate failureCondition"), "{message}");
    }
}

/// What each function refuses.
const REFUSED: &[(&str, &str)] = &[
    ("isNaN(nil)", "isNaN(nil): not a number"),
    ("isInf(nil)", "isInf(nil): not a number"),
    ("asInt(\"1.5\") == 1", "asInt() not supported on \"1.5\""),
    ("asInt(true) == 1", "asInt() not supported on true"),
    ("asInt(nil) == 1", "asInt() not supported on nil"),
    ("asInt(asFloat(\"+Inf\")) == 1", "asInt() not supported on +Inf"),
    ("asFloat(\"x\") == 1", "asFloat() not supported on \"x\""),
    ("asFloat(nil) == 1", "asFloat() not supported on nil"),
    ("isNil()", "isNil(): it does not take such arguments"),
    ("default(1) == 1", "default(1): it does not take such arguments"),
    ("now(1) == 1", "now(1): it does not take such arguments"),
    ("fromJSON(1) == 1", "fromJSON(1): it does not take such arguments"),
    ("toJSON(now()) == \"\"", "cannot write 2026-03-01T12:00:00+00:00 as JSON"),
    ("repeat(1, 2) == \"\"", "repeat(1, 2): it does not take such arguments"),
    ("len(1) == 1", "len() takes an array, string, or map as the argument"),
    ("type() == \"\"", "type() takes exactly one argument"),
    ("abs(\"x\") == 1", "abs() takes a number as the argument"),
    ("ceil(\"x\") == 1", "ceil() takes a number as the argument"),
    ("floor(\"x\") == 1", "floor() takes a number as the argument"),
    ("round(\"x\") == 1", "round() takes a number as the argument"),
    ("int(\"x\") == 1", "invalid operation: int(x)"),
    ("float(nil) == 1", "invalid operation: float(<nil>)"),
    ("string() == \"\"", "invalid number of arguments for string (expected 1, got 0)"),
    (
        "trim(1) == \"\"",
        "trim() takes a string as the first argument and an optional string of characters to trim",
    ),
    ("trimPrefix(1, \"a\") == \"\"", "trimPrefix() takes a string as the first argument"),
    ("trimSuffix(1, \"a\") == \"\"", "trimSuffix() takes a string as the first argument"),
    ("upper(1) == \"\"", "upper() takes a string as the first argument"),
    ("lower(1) == \"\"", "lower() takes a string as the first argument"),
    (
        "split(1, \"a\") == []",
        "split() takes a string as the first argument and a string as the second argument",
    ),
    (
        "splitAfter(1, \"\") == []",
        "splitAfter() takes a string as the first argument and a string as the second argument",
    ),
    ("replace(1, 2, 3) == 1", "replace() takes three strings"),
    ("join([1]) == \"\"", "join() array elements must be strings"),
    (
        "indexOf(1, 2) == 1",
        "indexOf() takes a string as the first argument and a string to search for as the second argument",
    ),
    (
        "lastIndexOf(1, 2) == 1",
        "lastIndexOf() takes a string as the first argument and a string to search for as the second argument",
    ),
    (
        "hasPrefix(1, 2)",
        "hasPrefix() takes a string as the first argument and a string to search for as the second argument",
    ),
    (
        "hasSuffix(1, 2)",
        "hasSuffix() takes a string as the first argument and a string to search for as the second argument",
    ),
    ("max() == 1", "not enough arguments to call max"),
    ("min(\"a\") == 1", "invalid argument for min (expected number or array)"),
    ("mean([\"a\"]) == 0", "invalid argument for mean (expected number or array)"),
    ("median(\"a\") == 1", "invalid argument for median (expected number or array)"),
    ("toBase64(1) == \"\"", "toBase64() takes a string as the argument"),
    ("fromBase64(\"%\") == \"\"", "fromBase64() invalid input: Invalid symbol 37, offset 0."),
    ("duration(1) == nil", "duration() takes a string"),
    ("date(\"soon\") == nil", "invalid date soon"),
    ("timezone(\"Mars\") == nil", "invalid timezone Mars: failed to parse timezone"),
    ("first(1) == 1", "first() takes an array as the argument"),
    ("last(1) == 1", "last() takes an array as the argument"),
    ("get(1, 2) == nil", "get() takes an array or bytes and integer, or a map and key"),
    ("take([1], -1) == []", "take() count cannot be negative"),
    ("keys(1) == []", "keys() takes a map as the argument"),
    ("values(1) == []", "values() takes a map as the argument"),
    ("toPairs(1) == []", "toPairs() takes a map as the argument"),
    ("fromPairs([1]) == nil", "fromPairs() expects an array of two-element arrays"),
    ("reverse(1) == []", "reverse() takes an array as the argument"),
    ("uniq(1) == []", "uniq() takes an array as the argument"),
    ("concat(1, 2) == []", "concat() arguments must be arrays"),
    ("flatten(1) == []", "flatten() takes an array as the argument"),
    ("sort([1, \"a\"]) == []", "sort() values must all be numbers or all be strings"),
    ("bitand(1) == 1", "invalid number of arguments for bitand (expected 2, got 1)"),
    ("bitor(1, \"a\") == 1", "invalid arguments for bitor (expected integers)"),
    ("bitxor(1, \"a\") == 1", "invalid arguments for bitxor (expected integers)"),
    ("bitnand(1, \"a\") == 1", "invalid arguments for bitnand (expected integers)"),
    ("bitnot(\"a\") == 1", "invalid argument for bitnot (expected integer)"),
    ("bitshl(1, -1) == 1", "invalid operation: negative shift count -1 (type integer)"),
    ("bitshr(1, -1) == 1", "invalid operation: negative shift count -1 (type integer)"),
    ("bitushr(1, -1) == 1", "invalid operation: negative shift count -1 (type integer)"),
    ("all(1, true)", "cannot use 1 as a list in all"),
    ("any([1], 1)", "predicate of any returned 1, not true or false"),
    ("none(nil, true)", "cannot use nil as a list in none"),
    ("one([1], 1)", "predicate of one returned 1, not true or false"),
    ("count([1]) == 1", "predicate of count returned 1, not true or false"),
    ("sum([\"a\"]) == 1", "+ cannot be applied to 0 and \"a\""),
    ("filter([1], 1) == []", "predicate of filter returned 1, not true or false"),
    ("map(1, #) == []", "cannot use 1 as a list in map"),
    ("find([1], 1) == 1", "predicate of find returned 1, not true or false"),
    ("findIndex([1], 1) == 1", "predicate of findIndex returned 1, not true or false"),
    ("findLast([1], 1) == 1", "predicate of findLast returned 1, not true or false"),
    ("findLastIndex([1], 1) == 1", "predicate of findLastIndex returned 1, not true or false"),
    ("reduce([], #acc + #) == 1", "reduce of an empty list needs an initial value"),
    ("groupBy([1], [#])[1] == 1", "cannot group by [1]"),
    ("sortBy([1, 2], #, \"up\") == []", "unknown order \"up\", use asc or desc"),
    ("sortBy([1, \"a\"], #) == []", "cannot sort \"a\" and 1"),
];

/// What operators, indexes and the whole refuse.
const UNFIT: &[(&str, &str)] = &[
    ("\"x\"", "expected bool, but got \"x\""),
    ("nil", "expected bool, but got nil"),
    ("{a: 1}", "expected bool, but got a map"),
    ("true && 1", "&& needs true or false, not 1"),
    ("false || 1", "|| needs true or false, not 1"),
    ("not 1", "! cannot be applied to 1"),
    ("+\"a\" == 1", "+ cannot be applied to \"a\""),
    ("if 1 { true } else { false }", "?: needs true or false, not 1"),
    ("\"a\" > 1", "> cannot be applied to \"a\" and 1"),
    ("true <= false", "<= cannot be applied to true and false"),
    ("[1] + [2] == [1, 2]", "+ cannot be applied to [1] and [2]"),
    ("1 * \"a\" == 1", "* cannot be applied to 1 and \"a\""),
    ("1 ** \"a\" == 1", "** cannot be applied to 1 and \"a\""),
    ("1 in 2", "in cannot be applied to 1 and 2"),
    ("\"a\" contains 1", "contains cannot be applied to \"a\" and 1"),
    ("\"a\" startsWith 1", "startsWith cannot be applied to \"a\" and 1"),
    ("\"a\" endsWith 1", "endsWith cannot be applied to \"a\" and 1"),
    ("\"a\"..\"b\" == nil", "cannot range from \"a\" to \"b\""),
    ("{(1): 2} == nil", "a key of a map is not a text"),
    ("[1][\"x\"] == 1", "cannot fetch x from [1]"),
    ("[1][0.5] == 1", "cannot fetch 0.5 from [1]"),
    ("\"x\"[7] == \"x\"", "index out of range: 7 (array length is 1)"),
    ("[1][\"a\":] == []", "cannot slice at \"a\""),
    ("1[1:] == []", "cannot slice 1"),
    ("duration(\"1s\").Foo() == 1", "type Duration(1000000000) has no method Foo()"),
    ("date(\"2026-03-01\") + duration(\"9999999h\") > now()", "duration out of range"),
];

#[test]
fn every_function_says_what_it_does_not_take() {
    for (code, expected) in REFUSED.iter().chain(UNFIT) {
        let (phase, message) = phase_and_message(code, "", list(&[1.0]).as_ref());
        assert_eq!(phase, Error, "{code}");
        assert_eq!(message, format!("could not evaluate successCondition \"{code}\": {expected}"));
    }
    for name in functions::ALL {
        assert!(REFUSED.iter().any(|(code, _)| functions::calls(code, name)), "{name} stands in no row");
    }
}

#[test]
fn what_cannot_be_read_is_refused_with_its_place() {
    for (code, expected) in [
        ("result[0] <", "unexpected the end of the expression at column 12"),
        ("result[0 < 1", "unexpected the end of the expression at column 13"),
        ("reslt[0] < 1", "unknown name reslt at column 1"),
        ("foo(result)", "unknown name foo"),
        ("result < 1 result", "unexpected \"result\" at column 12"),
        ("result ?? 1 > 2", "> after ?? needs parentheses around one of the two"),
        ("\"open", "unclosed text at column 1"),
        ("1__0 == 1", "bad number \"1__0\" at column 1"),
        ("9223372036854775808 > 1", "bad number \"9223372036854775808\" at column 1"),
        ("12abc > 1", "bad number \"12\" at column 1"),
        ("result = 1", "unexpected \"=\" at column 8"),
        ("# > 1", "unexpected \"#\" at column 1"),
        ("all(result)", "all needs a predicate"),
        ("result @ 1", "unknown sign '@' at column 8"),
        ("/* never closed", "unclosed comment at column 1"),
        ("result[]", "unexpected \"]\" at column 8"),
        ("all([1], #foo)", "unknown pointer #foo"),
        ("\"\\q\" == result", "unknown escape at column 3"),
        ("\"\\ud800\" == result", "unknown escape at column 3"),
        ("let x 1; x > 0", "unexpected 1 at column 7"),
        ("let x = 1 x > 0", "unexpected \"x\" at column 11"),
        ("if true { true }", "unexpected the end of the expression at column 17"),
        ("true ? false", "unexpected the end of the expression at column 13"),
        ("{1.5: 2}", "unexpected 1.5 at column 2"),
        ("[1 2]", "unexpected 2 at column 4"),
        ("1 not 2", "unexpected 2 at column 7"),
        ("result | foo()", "unknown name foo"),
        ("result.", "unexpected the end of the expression at column 8"),
        ("1e400 > 1", "bad number \"1e400\" at column 1"),
        ("0b2 == 2", "bad number \"0b2\" at column 1"),
        ("", "unexpected the end of the expression at column 1"),
    ] {
        assert_eq!(Condition::parse(code).unwrap_err().to_string(), expected, "{code}");
    }
}

#[test]
fn monstrous_conditions_are_refused_instead_of_evaluated() {
    let brackets = format!("{}1{} == 1", "(".repeat(400), ")".repeat(400));
    let indexes = format!("{}1{} == 1", "result[".repeat(300), "]".repeat(300));
    let sum = vec!["1"; 400].join(" + ");
    let long = "1 + ".repeat(20_000);
    let comparisons = vec!["1"; 400].join(" < ");
    for (code, expected) in [
        (brackets, "more than 64 levels"),
        (indexes, "more than 64 levels"),
        (sum, "more than 64 levels"),
        (comparisons, "more than 64 levels"),
        ("1 ".repeat(1200), "more than 1000 words and signs"),
        (long, "longer than 16384 bytes"),
    ] {
        assert_eq!(Condition::parse(&code).unwrap_err().to_string(), expected);
    }
}
