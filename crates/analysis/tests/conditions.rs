//! The condition language, expression by expression: same functions and results as Argo Rollouts, without its traps.

#[path = "support/condition_functions.rs"]
mod functions;

use jiff::Timestamp;
use serde_json::json;
use serin_analysis::condition::{Condition, judge, moment};
use serin_analysis::provider::Samples;
use serin_api::AnalysisPhase::{self, Error, Failed, Inconclusive, Successful};

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

const NAN: f64 = f64::NAN;
const INF: f64 = f64::INFINITY;

/// Each is true of the result in the test below.
const EXPRESSIONS: &[&str] = &[
    // Literals, arithmetic and precedence.
    "1 + 2 * 3 == 7",
    "(1 + 2) * 3 == 9",
    "2 ** 3 ** 2 == 512",
    "2 ^ 3 == 8",
    "7 % 4 == 3",
    "7 / 2 == 3.5",
    "-2 ** 2 == -4",
    "- 3 + 5 == 2",
    "+4 == 4",
    "0x10 + 0b11 + 0o7 == 26",
    "1_000 == 1000",
    "1e3 == 1000",
    ".5 + .5 == 1",
    "1.5e-1 == 0.15",
    "1 == 1.0",
    "\"a\\tb\" == 'a\tb'",
    "`raw \\n` == \"raw \\\\n\"",
    "\"\\u00e9\" == \"é\"",
    "1 /* two */ == 1 // three",
    // Comparison, logic and texts.
    "1 < 2 && 2 <= 2 && 3 > 2 && 3 >= 3",
    "1 < 2 < 3",
    "not (3 < 2 < 1)",
    "1 != 2 and \"a\" != \"b\"",
    "true || 1 / 0 > 3",
    "!false and not false",
    "not false == true",
    "\"abc\" < \"abd\"",
    "\"abc\" contains \"b\" && \"abc\" startsWith \"a\" && \"abc\" endsWith \"c\"",
    "\"abc\" matches \"^a.c$\"",
    "\"abc\" not contains \"z\"",
    "2 in [1, 2] and 3 not in [1, 2]",
    "\"er\" in result.deep",
    "\"a\" + \"b\" == \"ab\"",
    // Choices, names, pipes.
    "result.ok ? true : false",
    "(nil ?? 3) == 3",
    "(result.nothing ?? \"x\") == \"x\"",
    "let x = result.count; x * 2 == 24",
    "let x = 1; let y = x + 1; y == 2",
    "if result.count > 10 { true } else { false }",
    "if false { 1 == 2 } else if true { 1 == 1 } else { 1 == 2 }",
    "result.tags | len() == 2",
    "\"  x \" | trim() | upper() == \"X\"",
    // Members, indexes, slices.
    "result.deep.er.est == 7",
    "result[\"name\"] == \"checkout\"",
    "result.missing == nil",
    "result.nothing?.more == nil",
    "result.missing?.a.b[3] == nil",
    "result.tags[0] == \"a\" && result.tags[-1] == \"b\"",
    "result.tags[1:] == [\"b\"]",
    "[1, 2, 3][0:2] == [1, 2] && [1, 2, 3][-1:] == [3]",
    "\"hello\"[1:3] == \"el\"",
    "{a: 1, \"b\": 2}.b == 2",
    "[1, 2,] == [1, 2]",
    "1..3 == [1, 2, 3]",
    // Predicates.
    "all(result.rows, .n >= 10)",
    "all(result.rows, {#.code > 100})",
    "any(result.rows, #.code == 500)",
    "none(result.rows, .code == 404)",
    "one(result.rows, .code == 500)",
    "count(result.rows, .n > 5) == 2",
    "count([true, false, true]) == 2",
    "sum(result.rows, .n) == 100",
    "sum([1, 2, 3]) == 6",
    "filter(result.rows, .code >= 500)[0].n == 10",
    "map(result.rows, .n) == [90, 10]",
    "map([5, 6], #index) == [0, 1]",
    "find(result.rows, .n < 50).code == 500",
    "find([1], # > 5) == nil",
    "findIndex(result.rows, .n < 50) == 1",
    "findLast([1, 2, 3], # < 3) == 2",
    "findLastIndex([1, 2, 1], # == 1) == 2",
    "findIndex([1], # > 5) == -1",
    "reduce([1, 2, 3], #acc + #) == 6",
    "reduce([1, 2], #acc + # * 10, 5) == 35",
    "groupBy([1, 2, 3], # % 2)[1] == [1, 3]",
    "sortBy(result.rows, .n)[0].n == 10",
    "sortBy([2, 1], #, \"desc\") == [2, 1]",
    "filter([1, 2, 3], # > 1) | map(# * 2) | sum() == 10",
    "all(map([[1], [2, 3]], len(#)), # > 0)",
    // Functions of the library.
    "len(result.tags) == 2 && len(\"héllo\") == 5",
    "type(result.count) == \"float\" and type(1) == \"int\" and type(nil) == \"nil\"",
    "abs(-3) == 3 && ceil(1.2) == 2 && floor(1.8) == 1 && round(2.5) == 3",
    "int(\"42\") == 42 && float(\"1.5\") == 1.5 && string(7) == \"7\"",
    "max(1, 5, 3) == 5 && min([4, 2]) == 2",
    "mean([1, 2, 3]) == 2 && median([1, 9, 2]) == 2",
    "split(\"a,b\", \",\") == [\"a\", \"b\"] && join([\"a\", \"b\"], \"-\") == \"a-b\"",
    "trimPrefix(\"v1\", \"v\") == \"1\" && trimSuffix(\"1%\", \"%\") == \"1\"",
    "lower(\"AB\") == \"ab\" && replace(\"aa\", \"a\", \"b\") == \"bb\" && repeat(\"ab\", 2) == \"abab\"",
    "indexOf(\"abcb\", \"b\") == 1 && lastIndexOf(\"abcb\", \"b\") == 3",
    "hasPrefix(\"abc\", \"a\") && hasSuffix(\"abc\", \"c\")",
    "first([1, 2]) == 1 && last([1, 2]) == 2 && get([1], 5) == nil && take([1, 2, 3], 2) == [1, 2]",
    "reverse([1, 2]) == [2, 1] && uniq([1, 1]) == [1] && concat([1], [2]) == [1, 2] && flatten([[1], [2]]) == [1, 2]",
    "sort([3, 1, 2]) == [1, 2, 3] && sort([1, 2], \"desc\") == [2, 1]",
    "len(keys(result.deep)) == 1 && values({a: 1}) == [1] && len(toPairs({a: 1})) == 1",
    "fromJSON('{\"a\": [1]}').a[0] == 1 && toJSON([1]) contains \"1\"",
    "toBase64(\"hi\") == \"aGk=\" && fromBase64(\"aGk=\") == \"hi\"",
    "bitand(6, 3) == 2 && bitor(4, 1) == 5 && bitshl(1, 3) == 8",
    "bitxor(6, 3) == 5 && bitnand(6, 3) == 4 && bitnot(0) == -1",
    "bitshr(8, 2) == 2 && bitushr(8, 2) == 2",
    "splitAfter(\"a,b\", \",\") == [\"a,\", \"b\"]",
    "fromPairs([[\"a\", 1], [\"b\", 2]]).b == 2",
    "timezone(\"UTC\") != nil",
    "duration(\"1h\") > duration(\"59m\") && duration(\"90s\").Minutes() == 1.5",
    "date(\"2026-03-01\").Year() == 2026 && now().Year() == 2026",
    "now() - duration(\"5m\") == date(\"2026-03-01T11:55:00Z\")",
    // Functions of Argo Rollouts.
    "asInt(\"12\") == 12 && asInt(12.9) == 12 && asFloat(\"0.5\") == 0.5 && asFloat(3) == 3.0",
    "isNaN(asFloat(\"NaN\")) && !isNaN(1.0) && isInf(asFloat(\"+Inf\")) && !isInf(0.0)",
    "isNil(nil) && isNil(result.nothing) && !isNil(result)",
    "default(result.nothing, 4) == 4 && default(result.count, 4) == 12",
];

#[test]
fn expressions_have_the_values_of_expr_lang() {
    let result = Samples::Json(json!({
        "count": 12, "rate": 0.25, "name": "checkout", "ok": true, "nothing": null, "tags": ["a", "b"],
        "rows": [{"code": 200, "n": 90}, {"code": 500, "n": 10}], "deep": {"er": {"est": 7}}
    }));
    for code in EXPRESSIONS {
        let (phase, message) = phase_and_message(code, "", Some(&result));
        assert_eq!((phase, message.as_str()), (Successful, ""), "{code}");
    }
}

#[test]
fn every_function_stands_in_a_row() {
    assert!(EXPRESSIONS.len() >= 100, "{} rows", EXPRESSIONS.len());
    for name in functions::ALL {
        assert!(EXPRESSIONS.iter().any(|code| functions::calls(code, name)), "{name} stands in no row");
    }
}

#[test]
fn the_two_conditions_make_one_phase() {
    for (case, success, failure, result, expected) in [
        ("no condition is a success", "", "", list(&[1.0]), Successful),
        ("success alone, true", "result[0] < 2", "", list(&[1.0]), Successful),
        ("success alone, false", "result[0] < 1", "", list(&[1.0]), Failed),
        ("failure alone, true", "", "result[0] > 0", list(&[1.0]), Failed),
        ("failure alone, false", "", "result[0] > 2", list(&[1.0]), Successful),
        ("both true: failure wins", "true", "true", list(&[1.0]), Failed),
        ("both false", "false", "false", list(&[1.0]), Inconclusive),
        ("success true, failure false", "result[0] < 2", "result[0] > 2", list(&[1.0]), Successful),
        ("success false, failure true", "result[0] < 0", "result[0] > 0", list(&[1.0]), Failed),
        ("a scalar", "result <= 0.5", "", Some(Samples::Number(0.5)), Successful),
        ("infinity is a number", "result[0] > 5", "", list(&[INF]), Successful),
        ("default of a result", "default(result, 0) < 1", "", None, Successful),
        ("isNil of a result", "isNil(result) || result > 3", "", None, Successful),
        ("nil compared", "result == nil", "", None, Successful),
        ("nil coalesced", "(result ?? 0) < 1", "", None, Successful),
        ("len of an empty list", "len(result) == 0 || result[0] < 1", "", list(&[]), Successful),
        ("len guards the failure", "", "len(result) > 0 && result[0] > 1", list(&[]), Successful),
        ("default tests its own argument", "default(result[0], 9) == 1", "", list(&[1.0]), Successful),
    ] {
        assert_eq!(phase_and_message(success, failure, result.as_ref()).0, expected, "{case}");
    }
}

#[test]
fn nan_is_never_a_success_unless_the_condition_says_so() {
    for (case, success, failure, result, expected) in [
        ("success alone, as in Argo Rollouts", "result[0] < 0.05", "", list(&[NAN]), Failed),
        ("failure alone: false for NaN only", "", "result[0] > 0.05", list(&[NAN]), Inconclusive),
        ("a scalar", "", "result > 0.05", Some(Samples::Number(NAN)), Inconclusive),
        ("unequal is true of NaN", "result[0] != 5", "", list(&[NAN]), Inconclusive),
        ("a negation", "!(result[0] > 0.05)", "", list(&[NAN]), Inconclusive),
        ("0/0 inside of the condition", "", "result[0] / result[1] > 0.05", list(&[0.0, 0.0]), Inconclusive),
        ("an aggregate that overlooks it", "", "max(result) > 5", list(&[1.0, NAN]), Inconclusive),
        ("filtered away", "len(filter(result, # > 5)) == 0", "", list(&[NAN]), Inconclusive),
        ("counted away", "count(result, # > 5) == 0", "", list(&[NAN]), Inconclusive),
        ("none of them", "none(result, # > 5)", "", list(&[NAN]), Inconclusive),
        ("no condition", "", "", list(&[1.0, NAN]), Inconclusive),
        (
            "one certain side decides an or",
            "result[0] < 1 || result[1] < 1",
            "",
            list(&[NAN, 0.5]),
            Successful,
        ),
        ("one certain element decides any", "any(result, # < 1)", "", list(&[NAN, 0.5]), Successful),
        ("a certain breach fails", "", "any(result, # > 1)", list(&[NAN, 2.0]), Failed),
        ("guarded success", "isNaN(result[0]) || result[0] < 0.05", "", list(&[NAN]), Successful),
        ("guarded failure", "", "!isNaN(result[0]) && result[0] > 0.05", list(&[NAN]), Successful),
        (
            "success is certain, failure doubtful",
            "isNaN(result)",
            "result > 1",
            Some(Samples::Number(NAN)),
            Successful,
        ),
        ("another element is looked at", "result[0] < 1", "", list(&[0.5, NAN]), Successful),
    ] {
        assert_eq!(phase_and_message(success, failure, result.as_ref()).0, expected, "{case}");
    }
}

#[test]
fn no_data_is_never_a_success_unless_the_condition_says_so() {
    for (case, success, failure, result, expected) in [
        ("all of nothing", "all(result, # < 5)", "", list(&[]), Inconclusive),
        ("none of nothing", "none(result, # > 5)", "", list(&[]), Inconclusive),
        ("any of nothing", "", "any(result, # > 5)", list(&[]), Inconclusive),
        ("the sum of nothing", "sum(result) < 5", "", list(&[]), Inconclusive),
        ("filtered nothing", "len(filter(result, # > 5)) == 0", "", list(&[]), Inconclusive),
        ("a constant", "true", "", list(&[]), Inconclusive),
        ("no condition", "", "", list(&[]), Inconclusive),
        ("no condition and nil", "", "", None, Inconclusive),
        ("nil and a constant", "true", "", None, Inconclusive),
        ("an index", "result[0] < 5", "", list(&[]), Error),
        ("nil compared with a number", "result < 5", "", None, Error),
        (
            "what is filtered away of something is gone",
            "all(filter(result, # > 9), # < 5)",
            "",
            list(&[1.0]),
            Successful,
        ),
    ] {
        assert_eq!(phase_and_message(success, failure, result.as_ref()).0, expected, "{case}");
    }
}

#[test]
fn moments_of_range_queries_are_expressions_too() {
    for (code, expected) in [
        ("now()", Ok("2026-03-01T12:00:00Z")),
        ("now() - duration(\"5m\")", Ok("2026-03-01T11:55:00Z")),
        ("date(\"2026-02-01T00:00:00Z\")", Ok("2026-02-01T00:00:00Z")),
        ("duration(\"5m\")", Err("it is 300000000000ns")),
        ("yesterday", Err("unknown name yesterday at column 1")),
        ("", Err("unexpected the end of the expression at column 1")),
    ] {
        let found = moment(code, now()).map(|moment| moment.to_string()).map_err(|fault| fault.to_string());
        assert_eq!(found.as_deref().map_err(String::as_str), expected, "{code}");
    }
}
