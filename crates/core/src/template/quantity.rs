//! Translates resource quantities to their one canonical form: `0.5` and `500m`, `1024Mi` and `1Gi` are the same.

const DECIMAL: [(&str, i32); 10] =
    [("n", -9), ("u", -6), ("m", -3), ("", 0), ("k", 3), ("M", 6), ("G", 9), ("T", 12), ("P", 15), ("E", 18)];
const BINARY: [(&str, u32); 6] = [("Ki", 1), ("Mi", 2), ("Gi", 3), ("Ti", 4), ("Pi", 5), ("Ei", 6)];

/// The canonical text of a quantity; `None` when it is none, or beyond 128 bits.
pub(super) fn canonical(text: &str) -> Option<String> {
    let text = text.trim();
    let end = text
        .char_indices()
        .find(|(index, character)| {
            !(character.is_ascii_digit() || *character == '.' || (*index == 0 && "+-".contains(*character)))
        })
        .map_or(text.len(), |(index, _)| index);
    let (number, suffix) = text.split_at_checked(end)?;
    let (mantissa, exponent) = decimal(number)?;
    if let Some((_, power)) = BINARY.iter().find(|(known, _)| *known == suffix) {
        return binary(mantissa, exponent, *power);
    }
    if let Some((_, power)) = DECIMAL.iter().find(|(known, _)| *known == suffix) {
        let (mantissa, exponent) = thousands(mantissa, exponent.checked_add(*power)?)?;
        let (suffix, _) = DECIMAL.iter().find(|(_, power)| *power == exponent)?;
        return Some(format!("{mantissa}{suffix}"));
    }
    let power: i32 = suffix.strip_prefix(['e', 'E'])?.parse().ok()?;
    let (mantissa, exponent) = thousands(mantissa, exponent.checked_add(power)?)?;
    Some(if exponent == 0 { mantissa.to_string() } else { format!("{mantissa}e{exponent}") })
}

/// Digits with a point as mantissa and power of ten.
fn decimal(number: &str) -> Option<(i128, i32)> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let exponent = i32::try_from(fraction.len()).ok()?.checked_neg()?;
    let mantissa = format!("{whole}{fraction}").parse().ok()?;
    Some((mantissa, exponent))
}

/// Without trailing zeros, and with an exponent that is a multiple of three.
fn thousands(mut mantissa: i128, mut exponent: i32) -> Option<(i128, i32)> {
    if mantissa == 0 {
        return Some((0, 0));
    }
    while mantissa.checked_rem(10)? == 0 {
        mantissa = mantissa.checked_div(10)?;
        exponent = exponent.checked_add(1)?;
    }
    while exponent.checked_rem(3)? != 0 {
        mantissa = mantissa.checked_mul(10)?;
        exponent = exponent.checked_sub(1)?;
    }
    Some((mantissa, exponent))
}

fn binary(mantissa: i128, exponent: i32, power: u32) -> Option<String> {
    let scale = 10_i128.checked_pow(exponent.unsigned_abs())?;
    let scaled = mantissa.checked_mul(1024_i128.checked_pow(power)?)?;
    let mut value = scaled.checked_div(scale)?;
    if scaled.checked_rem(scale)? != 0 {
        value = value.checked_add(1)?;
    }
    if value.checked_abs()? < 1024 {
        let (mantissa, exponent) = thousands(value, 0)?;
        let (suffix, _) = DECIMAL.iter().find(|(_, power)| *power == exponent)?;
        return Some(format!("{mantissa}{suffix}"));
    }
    let mut suffix = "";
    for (name, _) in BINARY {
        if value.checked_rem(1024)? != 0 {
            break;
        }
        value = value.checked_div(1024)?;
        suffix = name;
    }
    Some(format!("{value}{suffix}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_quantities_have_one_text() {
        for (text, expected) in [
            ("0.5", Some("500m")),
            ("500m", Some("500m")),
            ("1", Some("1")),
            ("1000m", Some("1")),
            ("1500m", Some("1500m")),
            ("1000", Some("1k")),
            ("1024Mi", Some("1Gi")),
            ("1.5Gi", Some("1536Mi")),
            ("100Mi", Some("100Mi")),
            ("128974848", Some("128974848")),
            ("0", Some("0")),
            ("0Mi", Some("0")),
            ("1e3", Some("1e3")),
            ("12E6", Some("12e6")),
            ("100u", Some("100u")),
            ("much", None),
            ("", None),
        ] {
            assert_eq!(canonical(text).as_deref(), expected, "{text}");
        }
    }
}
