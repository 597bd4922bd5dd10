//! Stores a float so that reading it back gives the same bits, whatever JSON library stands in between.
//!
//! JSON readers may round a decimal number to a neighbouring float (serde_json does, unless `float_roundtrip` is on),
//! and JSON has no infinity. So whole numbers are written as integers, everything else as the shortest decimal text
//! that names the float. Use as `#[serde(with = "exact")]`; [`mod@array`] does the same for a fixed list.

use serde::de::{Error, Visitor};
use serde::{Deserializer, Serializer};

const LARGEST_WHOLE: f64 = 9_007_199_254_740_992.0; // 2^53: beyond it floats skip integers

/// Writes one float.
///
/// # Errors
/// Only those of the serializer.
pub fn serialize<S: Serializer>(value: &f64, to: S) -> Result<S::Ok, S::Error> {
    let whole = value.trunc() == *value && value.abs() < LARGEST_WHOLE;
    if whole && !(*value == 0.0 && value.is_sign_negative()) {
        to.serialize_i64(*value as i64)
    } else {
        to.collect_str(&format_args!("{value:?}"))
    }
}

/// Reads what [`serialize`] wrote; a plain JSON number is accepted too.
///
/// # Errors
/// When the value is neither a number nor the text of one.
pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    from.deserialize_any(Number)
}

struct Number;

impl Visitor<'_> for Number {
    type Value = f64;

    fn expecting(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        to.write_str("a number, or the decimal text of one")
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<f64, E> {
        Ok(value as f64)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<f64, E> {
        Ok(value as f64)
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<f64, E> {
        Ok(value)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<f64, E> {
        text.parse().map_err(|_| E::invalid_value(serde::de::Unexpected::Str(text), &self))
    }
}

/// The same for an array of floats, written as a JSON list.
pub mod array {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    struct One(#[serde(with = "super")] f64);

    /// Writes `N` floats.
    ///
    /// # Errors
    /// Only those of the serializer.
    pub fn serialize<S: Serializer, const N: usize>(values: &[f64; N], to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(values.iter().map(|value| One(*value)))
    }

    /// Reads exactly `N` floats.
    ///
    /// # Errors
    /// When the list has another length, or an entry is not a number.
    pub fn deserialize<'de, D: Deserializer<'de>, const N: usize>(from: D) -> Result<[f64; N], D::Error> {
        let read: Vec<One> = Vec::deserialize(from)?;
        let values: Vec<f64> = read.into_iter().map(|one| one.0).collect();
        let length = values.len();
        values.try_into().map_err(|_| D::Error::custom(format_args!("expected {N} numbers, found {length}")))
    }
}

/// The same for a list of any length.
pub mod list {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    struct One(#[serde(with = "super")] f64);

    /// Writes the floats.
    ///
    /// # Errors
    /// Only those of the serializer.
    pub fn serialize<S: Serializer>(values: &[f64], to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(values.iter().map(|value| One(*value)))
    }

    /// Reads floats.
    ///
    /// # Errors
    /// When an entry is not a number.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<f64>, D::Error> {
        let read: Vec<One> = Vec::deserialize(from)?;
        Ok(read.into_iter().map(|one| one.0).collect())
    }
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};

    #[derive(Serialize, Deserialize)]
    struct Stored {
        #[serde(with = "super")]
        one: f64,
        #[serde(with = "super::array")]
        many: [f64; 3],
    }

    #[test]
    fn every_float_comes_back_bit_for_bit() {
        let awkward = [0.1 + 0.2, -0.0, 5e-324, 1.797e308, -123.456_789_012_345_67, f64::NEG_INFINITY, 1e16];
        for one in awkward {
            let text = serde_json::to_string(&Stored { one, many: [one, 29.0, -one] }).unwrap();
            let back: Stored = serde_json::from_str(&text).unwrap();
            assert_eq!(back.one.to_bits(), one.to_bits(), "{text}");
            assert_eq!(back.many.map(f64::to_bits), [one, 29.0, -one].map(f64::to_bits), "{text}");
        }
    }

    #[test]
    fn whole_numbers_stay_readable_and_nonsense_is_refused() {
        let text = serde_json::to_string(&Stored { one: 600.0, many: [1.0, 2.0, 0.5] }).unwrap();
        assert_eq!(text, r#"{"one":600,"many":[1,2,"0.5"]}"#);
        assert!(serde_json::from_str::<Stored>(r#"{"one":"six","many":[1,2,3]}"#).is_err());
        assert!(serde_json::from_str::<Stored>(r#"{"one":6,"many":[1,2]}"#).is_err());
    }
}
