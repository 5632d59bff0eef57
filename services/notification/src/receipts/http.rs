//! `/webhooks/meta`: Meta's callbacks.
//!
//! The signature is checked over the raw bytes before anything is parsed. Receipts are applied in one transaction
//! before the answer: what we answered 200 to is kept, and what we did not is sent again by Meta.

use std::collections::BTreeSet;

use axum::extract::{Request, State as Service};
use http::{HeaderMap, StatusCode};
use plaza_crypto::{constant_time_eq, hmac_sha256};
use plaza_kernel::{Caller, Kind, PermissionSet, TenantId};
use plaza_web::{ApiError, ApiErrors, Denied, Granted, Query, Rule, RuleText};
use secrecy::ExposeSecret;
use serde::Deserialize;
use utoipa::IntoParams;

use super::store::{self, Moved};
use super::{Receipt, places};
use crate::callback::{Callback, OfNumber, Told};
use crate::dispatch::settled;
use crate::messages::State;
use crate::{Notification, senders};

/// The longest callback: Meta names 3 MB.
pub(crate) const BODY: usize = 3 * 1024 * 1024;

/// Whoever signs with the app's secret. The handler checks: the signature is over the body.
pub(crate) struct MetaSignature;

impl Rule for MetaSignature {
    fn text() -> RuleText {
        RuleText {
            text: "signature".to_owned(),
            authenticated: false,
        }
    }

    fn decide(_: Option<&Caller>, _: &PermissionSet) -> Result<(), Denied> {
        Ok(())
    }
}

/// What Meta asks when a callback URL is set up.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Handshake {
    /// `subscribe`.
    #[serde(rename = "hub.mode")]
    mode: Option<String>,
    /// The token that was agreed on.
    #[serde(rename = "hub.verify_token")]
    token: Option<String>,
    /// To be sent back.
    #[serde(rename = "hub.challenge")]
    challenge: Option<String>,
}

/// Confirm the callback URL to Meta.
#[utoipa::path(get, path = "/webhooks/meta", tag = "webhooks", operation_id = "verify_meta_webhook",
    params(Handshake), responses((status = 200, body = String, content_type = "text/plain"), ApiErrors))]
pub(crate) async fn verify_meta_webhook(
    Service(notification): Service<Notification>,
    _granted: Granted<MetaSignature>,
    Query(handshake): Query<Handshake>,
) -> Result<String, ApiError> {
    let expected = notification.inner.config.whatsapp.verify_token.as_ref();
    let token = handshake.token.unwrap_or_default();
    let agreed = expected.is_some_and(|e| constant_time_eq(e.expose_secret().as_bytes(), token.as_bytes()));
    match handshake.challenge {
        Some(challenge) if agreed && handshake.mode.as_deref() == Some("subscribe") => Ok(challenge),
        _ => Err(ApiError::new(
            Kind::Forbidden,
            "VERIFY_TOKEN_MISMATCH",
            "the verify token is another one",
        )),
    }
}

/// Take a callback of Meta's: receipts of messages, what people wrote and want, and what became of templates.
#[utoipa::path(post, path = "/webhooks/meta", tag = "webhooks", operation_id = "receive_meta_webhook",
    request_body(content = String, content_type = "application/json"),
    responses((status = 200, description = "Kept"), ApiErrors))]
pub(crate) async fn receive_meta_webhook(
    Service(notification): Service<Notification>,
    _granted: Granted<MetaSignature>,
    request: Request,
) -> Result<StatusCode, ApiError> {
    let callback = notification.read_callback(request).await?;
    let told = callback.told(notification.inner.clock.now());
    notification.take_told(told).await?;
    Ok(StatusCode::OK)
}

impl Notification {
    /// Reads a callback that Meta signed. Strangers send bodies too, so there are few places for bodies.
    async fn read_callback(&self, request: Request) -> Result<Callback, ApiError> {
        let secret = self.inner.config.whatsapp.app_secret.as_ref();
        let (Some(secret), Some(given)) = (secret, given_mac(request.headers())) else {
            return Err(not_signed());
        };
        let (body, _place) = places::body(&self.inner.callback_places.meta, request).await?;
        if !holds(secret.expose_secret().as_bytes(), &body, &given) {
            return Err(not_signed());
        }
        serde_json::from_slice(&body)
            .map_err(|_| ApiError::new(Kind::Malformed, "MALFORMED_JSON", "the body is not a callback"))
    }

    /// Takes all of what is told, whatever becomes of a part of it: Meta repeats the whole until all of it is kept, and one
    /// number or tenant that fails must not cost the others theirs.
    async fn take_told(&self, told: Told) -> Result<(), ApiError> {
        let mut taken = Ok(());
        for (account, told) in told.numbers {
            taken = taken.and(self.take_of_number(&account, &told).await);
        }
        for (business, updates) in told.templates {
            taken = taken.and(self.take_templates(&business, &updates).await);
        }
        taken
    }

    /// What is told of an account that nobody here has is acknowledged and dropped: Meta would repeat it for days.
    async fn take_of_number(&self, account: &str, told: &OfNumber) -> Result<(), ApiError> {
        let holders = self.holders(senders::WHATSAPP, account).await?;
        if holders.is_empty() {
            tracing::warn!("callback for an unknown account dropped");
        }
        let mut taken = Ok(());
        for tenant in holders {
            if !told.receipts.is_empty() {
                taken = taken.and(self.apply_receipts(tenant, &told.receipts).await);
            }
            taken = taken.and(self.take_of_people(tenant, account, told).await);
        }
        metrics::counter!("plaza_receipts_total").increment(told.receipts.len() as u64);
        taken
    }

    /// All who say that an account is theirs.
    pub(crate) async fn holders(&self, provider: &str, account: &str) -> Result<Vec<TenantId>, ApiError> {
        let (database, mut all) = (&self.inner.database, Vec::new());
        loop {
            let next = senders::holders::of_account(database, provider, account, all.last().copied()).await?;
            let is_last = next.len() < senders::holders::AT_ONCE;
            all.extend(next);
            if is_last {
                return Ok(all);
            }
        }
    }

    /// Applies those of the receipts that are about this tenant's messages.
    #[tracing::instrument(name = "apply receipts", skip_all, fields(receipts = receipts.len()))]
    pub(crate) async fn apply_receipts(
        &self,
        tenant: TenantId,
        receipts: &[Receipt],
    ) -> Result<(), ApiError> {
        let tx = self.inner.database.begin(tenant);
        let moved = store::apply(&tx, receipts, self.inner.clock.now()).await?;
        self.learn(&tx, &moved).await?;
        tx.commit().await?;
        plaza_telemetry::crash::point("receipts.committed");
        self.trip_sources(tenant, receipts).await?;
        self.send_again(tenant, &moved).await?;
        self.announce_settled(tenant, moved).await;
        Ok(())
    }

    /// The receipts are kept by now: a failure here is no reason to be told once more, and whoever waits for the
    /// announcement asks for the counts now and then.
    async fn announce_settled(&self, tenant: TenantId, moved: Vec<Moved>) {
        let was_open = |moved: &Moved| moved.before.parse::<State>().is_ok_and(State::is_open);
        let moved = moved.into_iter().filter(was_open);
        let sources: BTreeSet<String> = moved.map(|moved| moved.source).collect();
        if let Err(error) = settled::announce(self, tenant, &sources).await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "settled sources not announced"
            );
        }
    }
}

/// Refuses a callback that nobody whom we know signed.
pub(crate) fn not_signed() -> ApiError {
    let text = "the signature does not hold";
    ApiError::new(Kind::Unauthenticated, "INVALID_SIGNATURE", text)
}

/// Whether this is the MAC of these bytes under the app's secret.
pub(crate) fn holds(secret: &[u8], body: &[u8], given: &[u8; 32]) -> bool {
    constant_time_eq(&hmac_sha256(secret, body), given)
}

/// The MAC that a callback claims to have. Two are none: which one counts must not be ours to guess.
pub(crate) fn given_mac(headers: &HeaderMap) -> Option<[u8; 32]> {
    let mut given = headers.get_all("x-hub-signature-256").iter();
    let header = given.next()?.to_str().ok()?;
    let mac = decode_hex(header.strip_prefix("sha256=")?)?;
    given.next().is_none().then_some(mac)
}

/// Lower-case hexadecimal of exactly 32 bytes, as Meta writes it. One message has one signature, not many spellings.
fn decode_hex(text: &str) -> Option<[u8; 32]> {
    let bytes = text.as_bytes();
    if bytes.len() != 64 || !bytes.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
        return None;
    }
    let mut out = [0; 32];
    for (at, byte) in out.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_published_signatures_are_ours() {
        let vectors = include_str!("../../../../testdata/vectors/meta.json");
        let vectors: serde_json::Value = serde_json::from_str(vectors).unwrap();
        for row in vectors["signatures"].as_array().unwrap() {
            let text = |name: &str| row[name].as_str().unwrap();
            let mut headers = HeaderMap::new();
            let given = format!("sha256={}", text("mac")).parse().unwrap();
            headers.insert("x-hub-signature-256", given);
            let expected = hmac_sha256(text("key").as_bytes(), text("body").as_bytes());
            assert_eq!(given_mac(&headers), Some(expected));
        }
    }

    fn headers(signature: &[u8]) -> HeaderMap {
        let signature = http::HeaderValue::from_bytes(signature).unwrap();
        HeaderMap::from_iter([(http::HeaderName::from_static("x-hub-signature-256"), signature)])
    }

    proptest! {
        /// What was signed holds, and with any byte of the signature or the body changed, to any other, nothing does.
        #[test]
        fn any_byte_changed_and_nobody_signed_it(
            secret in prop::collection::vec(any::<u8>(), 1..40),
            body in prop::collection::vec(any::<u8>(), 1..200),
            at in any::<prop::sample::Index>(), to in 0x20_u8..0x7f, other in any::<u8>(), capital in any::<bool>(),
        ) {
            let signature = format!("sha256={}", hex::encode(hmac_sha256(&secret, &body))).into_bytes();
            let given = given_mac(&headers(&signature)).unwrap();
            prop_assert!(holds(&secret, &body, &given));

            let mut changed = body.clone();
            *at.get_mut(&mut changed) = other;
            prop_assert_eq!(holds(&secret, &changed, &given), changed == body);

            let mut changed = signature.clone();
            let byte = at.get_mut(&mut changed);
            *byte = if capital { byte.to_ascii_uppercase() } else { to };
            let believed = given_mac(&headers(&changed)).is_some_and(|given| holds(&secret, &body, &given));
            prop_assert_eq!(believed, changed == signature);
        }

        #[test]
        fn rubbish_is_no_signature(text in "[ -~]{0,100}", shaped in "sha256=[0-9a-f]{60,68}") {
            for text in [text, shaped] {
                let given = given_mac(&headers(text.as_bytes()));
                prop_assert_eq!(given.map(|given| format!("sha256={}", hex::encode(given))).unwrap_or_else(|| text.clone()), text);
            }
        }
    }

    #[test]
    fn only_a_whole_mac_is_decoded() {
        let whole = "0bf7374433906636bed1653bc7c64affb42fa5da9a39e251ab95c2e3a9c06923";
        let mac = hmac_sha256(b"app-secret", br#"{"object":"whatsapp_business_account"}"#);
        assert_eq!(decode_hex(whole), Some(mac), "Meta's vector");
        for bad in [
            "",
            "00",
            &whole[..63],
            &format!("{whole}0"),
            &whole.replace('0', "g"),
            &whole.to_uppercase(),
        ] {
            assert_eq!(decode_hex(bad), None, "{bad}");
        }
    }
}
