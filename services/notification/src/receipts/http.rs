//! `/webhooks/meta`: Meta's callbacks.
//!
//! The signature is checked over the raw bytes before anything is parsed. Receipts are applied in one transaction
//! before the answer: what we answered 200 to is kept, and what we did not is sent again by Meta.

use std::collections::BTreeSet;

use axum::extract::{FromRequest, Request, State as Service};
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use plaza_crypto::{constant_time_eq, hmac_sha256};
use plaza_kernel::{Caller, Kind, PermissionSet, TenantId};
use plaza_web::{ApiError, ApiErrors, Denied, Granted, Query, Rule, RuleText, unreadable_body};
use secrecy::ExposeSecret;
use serde::Deserialize;
use utoipa::IntoParams;

use super::{Callback, Receipt, store};
use crate::dispatch::settled;
use crate::messages::State;
use crate::{Notification, senders};

/// The longest callback: Meta names 3 MB.
pub(crate) const BODY: usize = 3 * 1024 * 1024;

/// So many callbacks are in memory at a time before it is known that Meta sent them. Meta repeats the others.
pub(crate) const AT_ONCE: usize = 16;

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

/// Take a callback of Meta's: receipts of messages.
#[utoipa::path(post, path = "/webhooks/meta", tag = "webhooks", operation_id = "receive_meta_webhook",
    request_body(content = String, content_type = "application/json"),
    responses((status = 200, description = "Kept"), ApiErrors))]
pub(crate) async fn receive_meta_webhook(
    Service(notification): Service<Notification>,
    _granted: Granted<MetaSignature>,
    request: Request,
) -> Result<StatusCode, ApiError> {
    let callback = notification.read_callback(request).await?;
    for (account, receipts) in callback.receipts(notification.inner.clock.now()) {
        notification.take_receipts(&account, &receipts).await?;
    }
    Ok(StatusCode::OK)
}

impl Notification {
    /// Reads a callback that Meta signed. Strangers send bodies too, so there are few places for bodies.
    async fn read_callback(&self, request: Request) -> Result<Callback, ApiError> {
        let secret = self.inner.config.whatsapp.app_secret.as_ref();
        let (Some(secret), Some(given)) = (secret, given_mac(request.headers())) else {
            return Err(not_signed());
        };
        let _place = self.inner.callback_places.try_acquire().map_err(|_| {
            ApiError::new(
                Kind::Unavailable,
                "TOO_MANY_CALLBACKS",
                "too many callbacks at once; repeat it",
            )
        })?;
        let body = Bytes::from_request(request, &())
            .await
            .map_err(|error| unreadable_body(&error))?;
        let expected = hmac_sha256(secret.expose_secret().as_bytes(), &body);
        if !constant_time_eq(&expected, &given) {
            return Err(not_signed());
        }
        serde_json::from_slice(&body)
            .map_err(|_| ApiError::new(Kind::Malformed, "MALFORMED_JSON", "the body is not a callback"))
    }

    /// Receipts of an account nobody here has are acknowledged and dropped: Meta would repeat them for days.
    async fn take_receipts(&self, account: &str, receipts: &[Receipt]) -> Result<(), ApiError> {
        if receipts.is_empty() {
            return Ok(());
        }
        let mut last = None;
        loop {
            let database = &self.inner.database;
            let holders = senders::store::holders(database, senders::WHATSAPP, account, last).await?;
            let Some(next) = holders.last() else { break };
            last = Some(*next);
            for tenant in &holders {
                self.apply_receipts(*tenant, receipts).await?;
            }
            if holders.len() < senders::store::HOLDERS_AT_ONCE {
                break;
            }
        }
        if last.is_none() {
            tracing::warn!("callback for an unknown account dropped");
        }
        metrics::counter!("plaza_receipts_total").increment(receipts.len() as u64);
        Ok(())
    }

    /// Applies those of the receipts that are about this tenant's messages.
    #[tracing::instrument(name = "apply receipts", skip_all, fields(receipts = receipts.len()))]
    async fn apply_receipts(&self, tenant: TenantId, receipts: &[Receipt]) -> Result<(), ApiError> {
        let tx = self.inner.database.begin(tenant);
        let moved = store::apply(&tx, receipts, self.inner.clock.now()).await?;
        tx.commit().await?;
        self.announce_settled(tenant, moved).await;
        Ok(())
    }

    /// The receipts are kept by now: a failure here is no reason to be told once more, and whoever waits for the
    /// announcement asks for the counts now and then.
    async fn announce_settled(&self, tenant: TenantId, moved: Vec<(String, String)>) {
        let was_open = |state: &String| state.parse::<State>().is_ok_and(State::is_open);
        let moved = moved.into_iter().filter(|(_, before)| was_open(before));
        let sources: BTreeSet<String> = moved.map(|(source, _)| source).collect();
        if let Err(error) = settled::announce(self, tenant, &sources).await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "settled sources not announced"
            );
        }
    }
}

fn not_signed() -> ApiError {
    let text = "the signature does not hold";
    ApiError::new(Kind::Unauthenticated, "INVALID_SIGNATURE", text)
}

/// The MAC that a callback claims to have. Two are none: which one counts must not be ours to guess.
fn given_mac(headers: &HeaderMap) -> Option<[u8; 32]> {
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
    use super::*;

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
