//! Reads annotated CSV, the notation in which InfluxDB answers: the column `_value` of all tables, with its type.

use serde_json::Value;

use crate::provider::excerpt;

/// The values of all rows, in order.
///
/// # Errors
/// What InfluxDB says is wrong, or what cannot be read.
pub(super) fn values(csv: &str) -> Result<Vec<Value>, String> {
    let mut found = Vec::new();
    let mut table = Table::default();
    for row in rows(csv) {
        match row.first().map(String::as_str) {
            _ if row.iter().all(String::is_empty) => table = Table::default(),
            Some("#datatype") => table = Table { types: row, ..Table::default() },
            Some("#group") => {}
            Some("#default") => table.defaults = row,
            Some(_) if table.names.is_empty() => table.names = row,
            _ => found.extend(table.value(&row)?),
        }
    }
    Ok(found)
}

#[derive(Default)]
struct Table {
    types: Vec<String>,
    defaults: Vec<String>,
    names: Vec<String>,
}

impl Table {
    fn value(&self, row: &[String]) -> Result<Option<Value>, String> {
        let column = |name: &str| self.names.iter().position(|known| known == name);
        if let Some(error) = column("error") {
            return Err(excerpt(row.get(error).map(String::as_str).unwrap_or_default()));
        }
        let Some(place) = column("_value") else {
            return Err(format!("the answer has no column _value: {}", excerpt(&self.names.join(","))));
        };
        let text = |row: &[String]| row.get(place).filter(|text| !text.is_empty()).cloned();
        let kind = self.types.get(place).map(String::as_str).unwrap_or_default();
        match text(row).or_else(|| text(&self.defaults)) {
            Some(text) => typed(kind, text).map(Some),
            // An empty text is a value, an empty number is none.
            None if kind == "string" => Ok(Some(Value::String(String::new()))),
            None => Ok(Some(Value::Null)),
        }
    }
}

fn typed(kind: &str, text: String) -> Result<Value, String> {
    let unreadable = || format!("\"{}\" is no {kind}", excerpt(&text));
    Ok(match kind {
        "double" => {
            let number: f64 = text.parse().map_err(|_| unreadable())?;
            // JSON has no NaN; the text is what conditions and people then see.
            serde_json::Number::from_f64(number).map_or(Value::String(text), Value::Number)
        }
        "long" => text.parse::<i64>().map_err(|_| unreadable())?.into(),
        "unsignedLong" => text.parse::<u64>().map_err(|_| unreadable())?.into(),
        "boolean" => text.parse::<bool>().map_err(|_| unreadable())?.into(),
        _ => Value::String(text),
    })
}

/// The rows of a CSV text (RFC 4180): quoted fields may hold commas, quotes and line breaks. An empty line is a row with
/// one empty field.
fn rows(csv: &str) -> Vec<Vec<String>> {
    let (mut rows, mut row, mut field) = (Vec::new(), Vec::new(), String::new());
    let mut quoted = false;
    let mut letters = csv.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '"' if quoted && letters.peek() == Some(&'"') => {
                letters.next();
                field.push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => row.push(std::mem::take(&mut field)),
            '\r' if !quoted => {}
            '\n' if !quoted => {
                row.push(std::mem::take(&mut field));
                rows.push(std::mem::take(&mut row));
            }
            other => field.push(other),
        }
    }
    if !field.is_empty() || !row.is_empty() {
        row.push(field);
        rows.push(row);
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_have_the_type_of_their_column() {
        for (kind, text, expected) in [
            ("double", "0.5", Ok(json!([0.5]))),
            ("double", "NaN", Ok(json!(["NaN"]))),
            ("double", "", Ok(json!([null]))),
            ("long", "-3", Ok(json!([-3]))),
            ("unsignedLong", "18446744073709551615", Ok(json!([u64::MAX]))),
            ("boolean", "true", Ok(json!([true]))),
            ("string", "\"a,\"\"b\"\"\nc\"", Ok(json!(["a,\"b\"\nc"]))),
            ("string", "", Ok(json!([""]))),
            ("dateTime:RFC3339", "2026-03-01T12:00:00Z", Ok(json!(["2026-03-01T12:00:00Z"]))),
            ("long", "x", Err("\"x\" is no long".to_owned())),
            ("boolean", "1", Err("\"1\" is no boolean".to_owned())),
        ] {
            let csv = format!(
                "#datatype,string,long,{kind}\r\n#group,false,false,false\r\n#default,_result,,\r\n,result,table,_value\r\n,,0,{text}\r\n"
            );
            assert_eq!(values(&csv).map(Value::Array), expected, "{kind} {text}");
        }
    }

    #[test]
    fn tables_follow_each_other_and_defaults_fill_gaps() {
        let csv = "#datatype,string,long,double\n#default,_result,,1.5\n,result,table,_value\n,,0,\n,,0,2\n\n\
                   #datatype,string,long,string\n#default,_result,,\n,result,table,_value\n,,1,x\n";
        assert_eq!(values(csv), Ok(vec![json!(1.5), json!(2.0), json!("x")]));
        assert_eq!(values(""), Ok(vec![]));
        assert_eq!(values("\r\n"), Ok(vec![]));
    }

    #[test]
    fn what_influxdb_says_is_wrong_is_told() {
        let csv = "#datatype,string,string\n#group,true,true\n#default,,\n,error,reference\n,bucket not found,897\n";
        assert_eq!(values(csv), Err("bucket not found".to_owned()));
        let csv = "#datatype,string,long,double\n,result,table,mean\n,,0,1\n";
        assert_eq!(values(csv), Err("the answer has no column _value: ,result,table,mean".to_owned()));
    }
}
