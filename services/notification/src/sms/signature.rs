//! Twilio's signature of a callback (`X-Twilio-Signature`): the base64 of an HMAC-SHA-1, under the account's token, of the
//! address as Twilio knows it and the sorted fields of the form. Of a JSON body the address names the hash (`bodySHA256`), and
//! the address alone is signed. No I/O here.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use plaza_crypto::{constant_time_eq, hmac_sha1, sha256};

use super::form::Form;

/// A callback as it came in.
pub(super) struct Signed<'a> {
    /// The origin that Twilio knows us under: ours to say, never the request's.
    pub(super) origin: &'a str,
    /// Path and query as they came, byte by byte.
    pub(super) target: &'a str,
    pub(super) body: &'a [u8],
    pub(super) is_form: bool,
}

/// The fields of a callback that was signed with this token; none where the signature does not hold.
pub(super) fn verified(callback: &Signed<'_>, token: &[u8], given: &[u8; 20]) -> Option<Form> {
    let form = if callback.is_form {
        Form::parse(callback.body)?
    } else {
        names_its_body(callback).then(Form::default)?
    };
    let fields = form.signed();
    // Which of the spellings Twilio signs depends on how the address was given to it.
    let holds = spellings(callback.origin).iter().fold(false, |holds, origin| {
        let signed = [origin.as_bytes(), callback.target.as_bytes(), fields.as_bytes()].concat();
        holds | constant_time_eq(&hmac_sha1(token, &signed), given)
    });
    holds.then_some(form)
}

/// The 20 bytes that a header claims; none unless it is the one spelling of them.
pub(super) fn decoded(header: &str) -> Option<[u8; 20]> {
    STANDARD.decode(header).ok()?.try_into().ok()
}

/// The origin as it is, and with the port of its scheme where it names none, or without it where it does.
fn spellings(origin: &str) -> [String; 2] {
    let usual = if origin.starts_with("https://") {
        ":443"
    } else {
        ":80"
    };
    let host = origin.split_once("://").map_or(origin, |(_, host)| host);
    // The colons of an address of IPv6 are within brackets.
    let has_port = host.rsplit(']').next().is_some_and(|end| end.contains(':'));
    let other = match origin.strip_suffix(usual) {
        Some(without) => without.to_owned(),
        None if has_port => origin.to_owned(),
        None => format!("{origin}{usual}"),
    };
    [origin.to_owned(), other]
}

/// Whether the address, which is signed, names the hash of this body.
fn names_its_body(callback: &Signed<'_>) -> bool {
    let query = callback.target.split_once('?').map_or("", |(_, query)| query);
    let mut named = form_urlencoded::parse(query.as_bytes())
        .filter(|(name, _)| name == "bodySHA256")
        .map(|(_, hash)| hash.into_owned());
    let hash: String = sha256(callback.body)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    match (named.next(), named.next()) {
        (Some(named), None) => constant_time_eq(named.to_ascii_lowercase().as_bytes(), hash.as_bytes()),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn vectors() -> Value {
        serde_json::from_str(include_str!("../../../../testdata/vectors/twilio.json")).unwrap()
    }

    /// Cuts an address where its path begins.
    fn cut(url: &str) -> (&str, &str) {
        let begin = url.find("://").unwrap() + 3;
        url.split_at(begin + url[begin..].find('/').unwrap())
    }

    fn body(form: &Value) -> String {
        let mut body = form_urlencoded::Serializer::new(String::new());
        for field in form.as_array().unwrap() {
            body.append_pair(field[0].as_str().unwrap(), field[1].as_str().unwrap());
        }
        body.finish()
    }

    fn holds(origin: &str, target: &str, body: &str, token: &str, signature: &str) -> bool {
        let callback = Signed {
            origin,
            target,
            body: body.as_bytes(),
            is_form: true,
        };
        decoded(signature).is_some_and(|given| verified(&callback, token.as_bytes(), &given).is_some())
    }

    #[test]
    fn every_vector_holds_and_nothing_beside_it_does() {
        let vectors = vectors();
        let rows = vectors["signatures"].as_array().unwrap();
        assert!(rows.len() >= 6);
        for row in rows {
            let (origin, target) = cut(row["url"].as_str().unwrap());
            let (body, signature) = (body(&row["form"]), row["signature"].as_str().unwrap());
            assert!(holds(origin, target, &body, "12345", signature), "{row}");
            for (origin, target, body, token) in [
                (origin, target, body.as_str(), "12346"),
                (origin, target, body.as_str(), ""),
                (origin, &format!("{target}/"), &body, "12345"),
                (origin, target, &format!("{body}&z=1"), "12345"),
                ("https://evil.example", target, &body, "12345"),
                (&origin.replace("https", "http"), target, &body, "12345"),
            ] {
                assert!(
                    !holds(origin, target, body, token, signature),
                    "{target} {body} {token}"
                );
            }
        }
    }

    #[test]
    fn a_port_that_goes_without_saying_may_be_said() {
        let vectors = vectors();
        let row = &vectors["signatures"][0];
        let (body, signature) = (body(&row["form"]), row["signature"].as_str().unwrap());
        let target = "/myapp.php?foo=1&bar=2";
        assert!(holds(
            "https://mycompany.com:443",
            target,
            &body,
            "12345",
            signature
        ));
        assert!(!holds(
            "https://mycompany.com:8443",
            target,
            &body,
            "12345",
            signature
        ));
        assert!(!holds(
            "https://mycompany.com:80",
            target,
            &body,
            "12345",
            signature
        ));
        assert_eq!(spellings("http://[::1]"), ["http://[::1]", "http://[::1]:80"]);
        assert_eq!(spellings("http://[::1]:8080")[1], "http://[::1]:8080");
    }

    #[test]
    fn of_a_json_body_the_address_names_the_hash() {
        let vectors = vectors();
        let row = &vectors["json"];
        let (origin, target) = cut(row["url"].as_str().unwrap());
        let given = decoded(row["signature"].as_str().unwrap()).unwrap();
        let check = |body: &str, target: &str| {
            let callback = Signed {
                origin,
                target,
                body: body.as_bytes(),
                is_form: false,
            };
            verified(&callback, b"12345", &given).is_some()
        };
        let body = row["body"].as_str().unwrap();
        assert!(check(body, target));
        assert!(!check(&format!("{body} "), target), "the body is another");
        assert!(!check(body, "/myapp"), "no hash is named");
        assert!(!check(body, &format!("{target}&bodySHA256=0")), "two are none");
    }

    proptest! {
        /// What was signed holds; with any byte of the signature or the address changed nothing does, and with any byte of
        /// the form only what says the same.
        #[test]
        fn any_byte_changed_and_nobody_signed_it(
            token in prop::collection::vec(any::<u8>(), 1..40), target in "/[!-~]{0,60}",
            fields in prop::collection::vec(("[A-Za-z]{1,8}", "[ -~äß€]{0,12}"), 1..6),
            at in any::<prop::sample::Index>(), to in 0x20_u8..0x7f,
        ) {
            let mut body = form_urlencoded::Serializer::new(String::new());
            let body = body.extend_pairs(&fields).finish();
            let signed = Form::parse(body.as_bytes()).unwrap().signed();
            let mac = hmac_sha1(&token, format!("https://plaza.example{target}{signed}").as_bytes());
            let check = |target: &[u8], body: &[u8], signature: &[u8]| {
                let (target, signature) = (std::str::from_utf8(target).unwrap(), std::str::from_utf8(signature).unwrap());
                let callback = Signed { origin: "https://plaza.example", target, body, is_form: true };
                decoded(signature).is_some_and(|given| verified(&callback, &token, &given).is_some())
            };
            let signature = STANDARD.encode(mac);
            let (target, body, signature) = (target.as_bytes(), body.as_bytes(), signature.as_bytes());
            prop_assert!(check(target, body, signature));

            let changed = |bytes: &[u8]| {
                let mut changed = bytes.to_vec();
                *at.get_mut(&mut changed) = to;
                changed
            };
            prop_assert_eq!(check(target, body, &changed(signature)), changed(signature) == signature);
            prop_assert_eq!(check(&changed(target), body, signature), changed(target) == target);
            let says_the_same = Form::parse(&changed(body)).is_some_and(|form| form.signed() == signed);
            prop_assert_eq!(check(target, &changed(body), signature), says_the_same);
        }
    }

    #[test]
    fn a_signature_has_one_spelling() {
        let good = "0/KCTR6DLpKmkAf8muzZqo1nDgQ=";
        assert!(decoded(good).is_some());
        for bad in [
            "",
            "0/KCTR6DLpKmkAf8muzZqo1nDgQ",
            "0_KCTR6DLpKmkAf8muzZqo1nDgQ=",
            " 0/KCTR6DLpKmkAf8muzZqo1nDgQ=",
            "0/KCTR6DLpKmkAf8muzZqo1nDgR=",
            "AAAA",
        ] {
            assert_eq!(decoded(bad), None, "{bad}");
        }
    }

    #[test]
    fn what_is_no_text_is_not_believed() {
        assert_eq!(Form::parse(b"Body=%FF"), None);
        assert_eq!(Form::parse(b"%FF=1"), None);
    }
}
