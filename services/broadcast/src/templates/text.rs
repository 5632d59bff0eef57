//! What a template says to one person.

/// The text with these values in its places. Values are text: what looks like a place in them stays as it is. A place
/// without a value stays too.
pub(crate) fn render(body: &str, values: &[String]) -> String {
    let mut text = String::with_capacity(body.len());
    let mut rest = body;
    while let Some((before, after)) = rest.split_once("{{") {
        text.push_str(before);
        let Some((place, after)) = after.split_once("}}") else {
            text.push_str("{{");
            rest = after;
            continue;
        };
        match value(place, values) {
            Some(value) => text.push_str(value),
            None => {
                text.push_str("{{");
                text.push_str(place);
                text.push_str("}}");
            }
        }
        rest = after;
    }
    text.push_str(rest);
    text
}

fn value<'a>(place: &str, values: &'a [String]) -> Option<&'a String> {
    let number: usize = place.trim().parse().ok()?;
    values.get(number.checked_sub(1)?)
}

#[cfg(test)]
mod tests {
    use super::render;

    #[test]
    fn every_place_gets_its_value_and_values_stay_text() {
        let values = ["Ada".to_owned(), "{{1}} {{3}}".to_owned()];
        for (body, text) in [
            ("Hello {{1}}!", "Hello Ada!"),
            ("{{2}}, {{ 1 }}, {{1}}", "{{1}} {{3}}, Ada, Ada"),
            ("{{3}} {{0}} {{x}} {{1", "{{3}} {{0}} {{x}} {{1"),
            ("no place", "no place"),
            ("", ""),
        ] {
            assert_eq!(render(body, &values), text);
        }
    }
}
