//! Ask a person in.

use axum::extract::State;
use axum::response::IntoResponse;
use chrono::{DateTime, Utc};
use http::{StatusCode, header};
use plaza_contracts::permissions::CreateUsers;
use plaza_kernel::{Answer, UserId};
use plaza_web::{ApiError, ApiErrors, Granted, May, OnceJson, OnceParams, answered};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Identity;
use crate::users::{Invitation, Invite, PersonName};

/// Who is asked in.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct InviteBody {
    /// The address of the account.
    email: String,
    /// The name in the tenant.
    name: Option<String>,
    /// `member`, the only coarse role that is given here.
    #[serde(default)]
    role: InvitedRole,
}

/// The coarse role of an invited person.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum InvitedRole {
    /// May do what the tenant's roles grant.
    #[default]
    Member,
}

/// The link that the invited person opens.
#[derive(Serialize, ToSchema)]
pub(crate) struct InviteView {
    /// The account.
    user_id: UserId,
    /// What `/api/v1/auth/setup` takes. Shown once.
    #[schema(value_type = String)]
    token: String,
    /// The page that asks for the password. Shown once.
    setup_url: String,
    /// Until when the link is good.
    expires_at: DateTime<Utc>,
}

/// Ask a person in.
///
/// The link is good once. Asking again, before the person has come, makes a new link and ends the old one.
#[utoipa::path(post, path = "/api/v1/auth/users", tag = "users", operation_id = "create_user", params(OnceParams),
    request_body = InviteBody, responses((status = 201, body = InviteView), ApiErrors))]
pub(crate) async fn create(
    State(identity): State<Identity>,
    granted: Granted<May<CreateUsers>>,
    OnceJson(body, key): OnceJson<InviteBody>,
) -> Result<impl IntoResponse, ApiError> {
    let InvitedRole::Member = body.role;
    let invitation = Invitation {
        email: body.email.parse()?,
        name: PersonName::parse(body.name.as_deref())?,
    };
    let (invite, again) = identity.invite(&(&granted).into(), invitation, &key).await?;
    let response = answered(StatusCode::CREATED, identity.answer_with(&invite, again));
    Ok(([(header::CACHE_CONTROL, "no-store")], response))
}

impl Identity {
    /// What was answered before is put together again, to the byte: links do not lie about in the database.
    fn answer_with(&self, invite: &Invite, again: bool) -> Answer<InviteView> {
        let view = InviteView {
            user_id: invite.user,
            setup_url: self.setup_url(&invite.link.token),
            token: invite.link.token.expose_secret().to_owned(),
            expires_at: invite.link.expires_at,
        };
        if !again {
            return Answer::New(view);
        }
        Answer::Replayed {
            status: StatusCode::CREATED.as_u16(),
            // Cannot fail: strings and a time, no maps with keys of other types.
            body: serde_json::to_string(&view).unwrap_or_default(),
        }
    }

    /// Where a link leads. Built from the configured origin, never from a request's host.
    pub(crate) fn setup_url(&self, token: &SecretString) -> String {
        format!(
            "{}/setup#token={}",
            self.config().public_url.trim_end_matches('/'),
            token.expose_secret()
        )
    }
}
