//! Who calls back: whoever signs with the token of the sender that the path names.

use axum::extract::Request;
use http::{HeaderMap, header};
use plaza_contracts::ids::{MessageId, SenderId};
use plaza_kernel::TenantId;
use plaza_web::ApiError;
use secrecy::{ExposeSecret, SecretString};

use super::form::Form;
use super::signature::{Signed, decoded, verified};
use crate::receipts::http::not_signed;
use crate::receipts::places;
use crate::senders::SMS;
use crate::{Notification, senders};

/// The longest callback. Twilio's have some hundred bytes, and one text.
pub(super) const BODY: usize = 64 * 1024;

/// A callback that was signed.
pub(super) struct Callback {
    pub(super) tenant: TenantId,
    pub(super) sender: SenderId,
    /// Our message, as its address names it.
    pub(super) message: Option<MessageId>,
    pub(super) form: Form,
}

impl Notification {
    /// Reads a callback about a sender. Strangers send bodies too, so there are few places for bodies, and none where the
    /// sender is nobody's.
    ///
    /// # Errors
    /// `INVALID_SIGNATURE` whatever is wrong with sender or signature: who cannot sign learns nothing of which senders there
    /// are.
    pub(super) async fn read_twilio(&self, sender: SenderId, request: Request) -> Result<Callback, ApiError> {
        let given = given_mac(request.headers()).ok_or_else(not_signed)?;
        let is_form = is_form(request.headers());
        let target = request.uri().path_and_query().map(ToString::to_string);
        let target = target.ok_or_else(not_signed)?;
        let (tenant, token) = self.signer(sender).await?.ok_or_else(not_signed)?;
        let (body, _place) = places::body(&self.inner.callback_places.twilio, request).await?;
        let callback = Signed {
            origin: &self.inner.config.public_url,
            target: &target,
            body: &body,
            is_form,
        };
        let form = verified(&callback, token.expose_secret().as_bytes(), &given).ok_or_else(not_signed)?;
        Ok(Callback {
            tenant,
            sender,
            message: message_in(&target),
            form,
        })
    }

    /// Whose sender it is, and the token that its callbacks are signed with.
    async fn signer(&self, sender: SenderId) -> Result<Option<(TenantId, SecretString)>, ApiError> {
        let database = &self.inner.database;
        let holders = senders::holders::of_account(database, SMS, &sender.to_string(), None).await?;
        let Some(tenant) = holders.first().copied() else {
            return Ok(None);
        };
        let sealed = senders::store::sealed_token(database, tenant, sender, SMS).await?;
        let token = match sealed {
            Some(sealed) => self.open_token(tenant, sender, &sealed).await?,
            None => None,
        };
        Ok(token.map(|token| (tenant, token)))
    }
}

/// The MAC that a callback claims to have. Two are none: which one counts must not be ours to guess.
fn given_mac(headers: &HeaderMap) -> Option<[u8; 20]> {
    let mut given = headers.get_all("x-twilio-signature").iter();
    let mac = decoded(given.next()?.to_str().ok()?)?;
    given.next().is_none().then_some(mac)
}

fn is_form(headers: &HeaderMap) -> bool {
    let kind = headers
        .get(header::CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    let kind = kind.and_then(|kind| kind.split(';').next()).unwrap_or_default();
    kind.trim()
        .eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

/// Our message in the address, which we gave to Twilio when we handed the message over.
pub(super) fn message_in(target: &str) -> Option<MessageId> {
    let (_, query) = target.split_once('?')?;
    let mut named = form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name == "m");
    named.next()?.1.parse().ok()
}
